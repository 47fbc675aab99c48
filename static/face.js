// The graph's own face: its title, greeting, examples, language, colours and logo, as its file states them.

import { computed, effect, html, signal } from './vendor/ui.mjs';
import { Mark } from './buttons.js';
import { language, speak } from './i18n.js';

/** @typedef {{title?: string, greeting?: string, examples?: string[]}} Texts */
/** @typedef {Texts & {language?: string, logo?: string, colours?: {light: string, dark: string}, texts?: Record<string, Texts>}} Face */

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
  const accent = `light-dark(${colours.light}, ${colours.dark})`;
  root.setProperty('--accent', accent);
  root.setProperty('--accent-tint', `color-mix(in srgb, ${accent} 12%, var(--sheet))`);
});

/** The graph's picture, or the product's. */
export function Logo() {
  const logo = face.value?.logo;
  return logo ? html`<img class="logo" src=${logo} alt="" />` : html`<${Mark} />`;
}
