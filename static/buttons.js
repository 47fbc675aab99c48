// The page's icons, drawn with one pen, and small buttons that several views use.

import { html, useState } from './vendor/ui.mjs';
import { t } from './i18n.js';

/** @param {string} path */
const icon = (path) => () =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>`;

export const Mark = icon('M4 20V4h16M9 20V9h11M14 20v-6h6');
export const Send = icon('M12 20V5M5.5 11.5 12 5l6.5 6.5');
export const Down = icon('M12 4v15M5.5 12.5 12 19l6.5-6.5');
export const Square = icon('M7 7h10v10H7z');
export const Copy = icon('M9 9h11v11H9zM15 9V4H4v11h5');
export const Pencil = icon('M4 20l1-4.5L16.5 4 20 7.5 8.5 19z');
export const Check = icon('M4.5 12.5 10 18 20 6.5');
export const Close = icon('M5 5l14 14M19 5 5 19');
export const Sun = icon('M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M19 5l-1.4 1.4M6.4 17.6 5 19');
export const Moon = icon('M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z');
export const Fresh = icon('M12 5v14M5 12h14');
export const Panels = icon('M4 5h16v14H4zM13 5v14M16 9h1M16 12h1');
export const Person = icon('M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0');
export const Link = icon('M10 13.5a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10.5a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2');

const SHOWN_MS = 1500;

/** @param {{label: string, onClose: () => void}} props */
export function CloseButton({ label, onClose }) {
  return html`<button type="button" class="round quiet" aria-label=${label} title=${label} onClick=${onClose}><${Close} /></button>`;
}

/** Copies a text and says so. @param {{text: () => string, label: string}} props */
export function CopyButton({ text, label }) {
  const [copied, setCopied] = useState(false);
  async function copy() {
    await copyText(text());
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_MS);
  }
  return html`
    <button type="button" class="quiet copy" aria-label=${copied ? t('copied') : label} title=${label} onClick=${copy}>
      ${copied ? html`<${Check} />` : html`<${Copy} />`}
    </button>
  `;
}

/** @param {string} text */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Over plain HTTP from another machine there is no clipboard interface; a selection does it.
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}
