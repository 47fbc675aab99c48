// The drawing of graphs, which is fetched when the first graph is drawn: bundled into `static/vendor/cytoscape.mjs`.

export { default } from 'cytoscape';
