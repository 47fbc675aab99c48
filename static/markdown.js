// Markdown that a model wrote, made safe: text in, sanitised HTML out, block by block.
//
// A model may say anything, and what it says may come from anyone. So raw HTML is shown as text, images become links (a
// remote image would tell its server what was said), links open apart, and DOMPurify has the last word. Splitting into
// blocks lets a streaming answer render only its last block again.

import { DOMPurify, Marked } from './vendor/prose.mjs';
import { t } from './i18n.js';
import { unturned, visible } from './words.js';

const SAFE_ADDRESS = /^(?:https?:|mailto:)/i;

/** Chinese, Japanese and Korean put no spaces between words: a rule that counts on them doesn't see where one ends. */
const CJK = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\u3000-\u303f\uff00-\uffef]/u;
/** What ends an address: besides a space, the punctuation of those scripts, in full width, and typographic quotes. */
const AFTER_ADDRESS = /[\s<\u2018-\u201f\u3000-\u3004\u3008-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]/;
const ADDRESS_LENGTH_MAX = 2000;
/** Formulas: `\(a_1\)`, and `\[…\]` where what stands in it looks like one. */
const FORMULA = /^\\(?:\(.{1,500}?\\\)|\[(.{1,2000}?)\\\])/s;
const IN_FORMULA = /\\[a-z]|[\^=]/i;

const TAGS =
  'p br hr h3 h4 h5 h6 ul ol li blockquote pre code em strong del a table thead tbody tr th td'.split(' ');

/** @type {Marked} */
const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escaped(text).replace(/&#60;br\s*\/?&#62;/gi, '<br>'),
    image: ({ href, text }) => link(href, escaped(text || t('answer.image'))),
    link({ href, tokens }) {
      return link(href, this.parser.parseInline(tokens));
    },
    // The page's own headings stand above.
    heading({ depth, tokens }) {
      const level = Math.min(6, depth + 2);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    // Inside lists and quotes; a code block of its own is a component with a copy button.
    code: ({ text }) => `<pre tabindex="0"><code>${escaped(text)}</code></pre>\n`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
  tokenizer: {
    /** Bold beside or around these scripts, whatever punctuation is at its edges. */
    emStrong(source, masked, before) {
      const [, inner] = /^\*\*(?![\s*])((?:[^*]|\*(?!\*))*?[^\s*])\*\*(?!\*)/.exec(masked.slice(-source.length)) ?? [];
      const end = inner ? inner.length + 4 : 0;
      if (!inner || ![before, ...edges(inner), source.slice(end, end + 2)].some((text) => CJK.test(text ?? ''))) return false;
      const text = source.slice(2, end - 2);
      return { type: 'strong', raw: source.slice(0, end), text, tokens: this.lexer.inlineTokens(text) };
    },
    escape(source) {
      const [raw, inner] = FORMULA.exec(source) ?? [];
      return raw && (inner === undefined || IN_FORMULA.test(inner)) ? { type: 'escape', raw, text: raw } : false;
    },
    url(source) {
      const end = source.slice(0, ADDRESS_LENGTH_MAX).search(AFTER_ADDRESS);
      return end < 0 || /[\s<]/.test(source[end]) ? false : marked.Tokenizer.prototype.url.call(this, source.slice(0, end));
    },
  },
});

/** The first and the last character. @param {string} text */
function edges(text) {
  const all = [...text];
  return [all[0], all[all.length - 1]];
}

/** @typedef {{type: string, raw: string, place: number, text?: string, lang?: string}} Block  `place`: where it begins */

/** More text can still change the last block, and make it one with the block before. */
const UNSETTLED = 2;

/** The blocks of a text. @param {string} text @returns {Block[]} */
export function blocks(text) {
  return read(text, 0);
}

/** The blocks of a text that has grown at its end: only what that can change is read again.
 * @param {string} text @param {Block[]} known the blocks before it grew @returns {Block[]} */
export function grown(text, known) {
  const settled = known.slice(0, -UNSETTLED);
  return [...settled, ...read(text, known[settled.length]?.place ?? 0)];
}

/** @param {string} text @param {number} from @returns {Block[]} */
function read(text, from) {
  let place = from;
  const all = marked.lexer(text.slice(from)).map((token) => {
    const block = { ...token, place };
    place += token.raw.length;
    return block;
  });
  return all.filter(({ type }) => type !== 'space' && type !== 'def');
}

/** `1,234.50 €`, `−3 %`, `12 kWh`: what stands at the right. */
const FIGURE = /^[-+−±~<>≈]?\s?[€$£]?\s?\d[\d.,'’\u00a0\u202f ]*\s?(?:%|‰|[€$£]|[\p{L}°µ]{1,4}[²³]?)?$/u;

/** Columns of figures stand at the right, unless the table says where. @param {any} table */
function aligned(table) {
  const sides = table.align.map((/** @type {string | null} */ side, /** @type {number} */ at) => {
    const texts = table.rows.map((/** @type {{text: string}[]} */ row) => row[at].text.trim()).filter(Boolean);
    return side ?? (texts.length > 0 && texts.every((/** @type {string} */ text) => FIGURE.test(text)) ? 'right' : null);
  });
  const side = (/** @type {any} */ cell, /** @type {number} */ at) => ({ ...cell, align: sides[at] });
  return { ...table, align: sides, header: table.header.map(side), rows: table.rows.map((/** @type {any[]} */ row) => row.map(side)) };
}

/** One block as trusted HTML. @param {Block} block */
export function rendered(block) {
  const token = block.type === 'table' ? aligned(block) : block;
  return DOMPurify.sanitize(marked.parser([/** @type {any} */ (token)]), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ['href', 'rel', 'target', 'start', 'align', 'tabindex'],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: SAFE_ADDRESS,
    // Without this their values have to be addresses, too.
    ADD_URI_SAFE_ATTR: ['align', 'start', 'tabindex', 'target', 'rel'],
    RETURN_TRUSTED_TYPE: true,
  });
}

DOMPurify.addHook('beforeSanitizeElements', (node) => {
  if (node.nodeType !== Node.TEXT_NODE) return;
  const text = /** @type {Text} */ (node);
  text.data = text.parentElement?.closest('code') ? visible(text.data) : unturned(text.data);
});

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.matches('td, th, code')) node.setAttribute('dir', 'auto');
  if (node.tagName !== 'A') return;
  node.setAttribute('rel', 'noopener noreferrer');
  node.setAttribute('target', '_blank');
});

/** @param {string} href @param {string} inner */
function link(href, inner) {
  return SAFE_ADDRESS.test(href) ? `<a href="${escaped(href)}">${inner}</a>` : inner;
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
