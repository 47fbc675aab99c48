// The graph's own face: its title, greeting, examples, language, colours and logo, as its file states them.

import { computed, effect, html, signal } from './vendor/ui.mjs';
import { Mark } from './buttons.js';
import { language, speak } from './i18n.js';

/** @typedef {{title?: string, greeting?: string, examples?: string[]}} Texts */
/** @typedef {Texts & {language?: string, logo?: string, colours?: {light: string, dark: string}, texts?: Record<string, Texts>}} Face */

/** The page's own, see `base.css`. */
const SHEETS = { light: '#fffdf9', dark: '#1e1b18' };
const TINT = 0.12;

/** None where the graph states nothing. @type {import('./vendor/ui.mjs').Signal<Face | undefined>} */
export const face = signal(undefined);

/** Its texts in the page's language, where it has them in that. @type {{value: Texts}} */
export const ownTexts = computed(() => ({ ...face.value, ...face.value?.texts?.[language.value] }));

effect(() => {
  const { language: spoken, colours } = face.value ?? {};
  if (spoken) speak([spoken]);
  const root = document.documentElement.style;
  if (!colours) {
    for (const name of ['--accent', '--accent-tint']) root.removeProperty(name);
    return;
  }
  root.setProperty('--accent', `light-dark(${colours.light}, ${colours.dark})`);
  root.setProperty('--accent-tint', `light-dark(${tinted(SHEETS.light, colours.light)}, ${tinted(SHEETS.dark, colours.dark)})`);
});

/** A sheet with a little of a colour in it. Not `color-mix`: the graph's drawing can't read what that computes to.
 * @param {string} sheet `#rrggbb` @param {string} colour `#rrggbb` */
function tinted(sheet, colour) {
  const parts = [1, 3, 5].map((at) => {
    const [under, over] = [sheet, colour].map((hex) => parseInt(hex.slice(at, at + 2), 16));
    return Math.round(under + (over - under) * TINT).toString(16).padStart(2, '0');
  });
  return `#${parts.join('')}`;
}

/** The graph's picture, or the product's. */
export function Logo() {
  const logo = face.value?.logo;
  return logo ? html`<img class="logo" src=${logo} alt="" />` : html`<${Mark} />`;
}
