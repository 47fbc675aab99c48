// The page's languages: one file of texts for each, and numbers and dates as its readers write them.
//
// A text is looked up by its key: `t('chat.waiting', { count: 3 })`. `{count}` in a text stands for that value. Where the
// text depends on a number, the file has one for each plural form (`{ one: '{count} frame', other: '{count} frames' }`),
// chosen by `count`.

import { signal } from './vendor/ui.mjs';
import { remember, remembered } from './storage.js';

/** @typedef {typeof import('./lang/en.js').default} Texts */
/** @typedef {keyof Texts} Key */

/** By their codes, in their own words. @type {Record<string, string>} */
export const LANGUAGES = { en: 'English', de: 'Deutsch' };
const FALLBACK = 'en';
const CHOICE = 'language';
const AGAIN_MS = 2000;

/** @type {import('./vendor/ui.mjs').Signal<Record<string, string | Record<string, string>>>} */
const texts = signal({});
/** The language that the page is shown in: `en` or `de`. */
export const language = signal(FALLBACK);
/** How its readers write numbers and dates: the browser's own region where it has one. */
let locale = FALLBACK;
/** @type {Intl.PluralRules} */
let plurals = new Intl.PluralRules(FALLBACK);

/** Shows the page in the reader's language: the one they chose, else the first of `offered` and the browser's that there is.
 * @param {string[]} [offered] by the graph, the best first */
export async function speak(offered = []) {
  const wanted = [remembered(CHOICE), ...offered, ...navigator.languages, FALLBACK];
  const tag = wanted.find((one) => base(one) in LANGUAGES) ?? FALLBACK;
  const next = base(tag);
  if (next === language.peek() && Object.keys(texts.peek()).length > 0) return;
  const known = await read(next);
  locale = navigator.languages.find((one) => base(one) === next) ?? tag;
  plurals = new Intl.PluralRules(next);
  language.value = next;
  texts.value = known;
  document.documentElement.lang = next;
}

/** Its texts; where the network fails, the same again. @param {string} code @returns {Promise<Record<string, string | Record<string, string>>>} */
async function read(code) {
  for (;;) {
    try {
      return (await import(`./lang/${code}.js`)).default;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** The reader's own choice, kept for later visits. @param {string} code */
export function choose(code) {
  remember(CHOICE, code);
  return speak();
}

/** @param {string} tag such as `de-AT` */
function base(tag) {
  return tag.split('-')[0].toLowerCase();
}

/** The text under a key, with its values filled in. @param {Key} key @param {Record<string, string | number>} [values] @returns {string} */
export function t(key, values) {
  const known = texts.value[key];
  const text = typeof known === 'object' ? (known[plurals.select(Number(values?.count))] ?? known.other) : (known ?? key);
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? shown(values[name]) : whole)) : text;
}

/** @param {string | number} value */
function shown(value) {
  return typeof value === 'number' ? formatted(value) : value;
}

/** A number as the reader writes it: `12,345` or `12.345`, and `2024` as it is. @param {number | bigint} value @param {Intl.NumberFormatOptions} [options] */
export function formatted(value, options) {
  return new Intl.NumberFormat(language.value && locale, { useGrouping: 'min2', ...options }).format(value);
}

/** A moment as the reader writes it. @param {number | Date} when milliseconds @param {Intl.DateTimeFormatOptions} options */
export function dated(when, options) {
  return new Intl.DateTimeFormat(language.value && locale, options).format(when);
}
