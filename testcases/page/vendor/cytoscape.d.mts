// The types of what `cytoscape.mjs` exports, for editors and `npm run types`.

export { default } from 'cytoscape';
