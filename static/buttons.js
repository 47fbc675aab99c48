// Small buttons that several views use.

import { html, useState } from './vendor/ui.mjs';
import { Check, Close, Copy } from './icons.js';

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
    <button type="button" class="quiet copy" aria-label=${copied ? 'Copied' : label} title=${label} onClick=${copy}>
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
