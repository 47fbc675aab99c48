// What answers are drawn with, which is fetched with the first answer: bundled into `static/vendor/prose.mjs`.

export { Marked } from 'marked';
export { default as DOMPurify } from 'dompurify';
