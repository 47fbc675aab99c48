// The types of what `prose.mjs` exports, for editors and `npm run types`.

export { Marked } from 'marked';
export { default as DOMPurify } from 'dompurify';
