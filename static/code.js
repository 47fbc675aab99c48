// A block of code: its language, a button to copy it, its colours once they have been fetched, and a fade where it goes on.

import { html, signal, useMemo, useRef } from './vendor/ui.mjs';
import { CopyButton } from './buttons.js';
import { useEdges } from './edges.js';
import { t } from './i18n.js';

const AGAIN_MS = 2000;

/** Not here until the first block of code needs it. @type {import('./vendor/ui.mjs').Signal<typeof import('./syntax.js').pieces | undefined>} */
const pieces = signal(undefined);
let isAsked = false;

function ask() {
  isAsked = true;
  import('./syntax.js').then(
    (syntax) => (pieces.value = syntax.pieces),
    () => setTimeout(ask, AGAIN_MS),
  );
}

/** @param {{text: string, language: string, isWhole: boolean}} props `isWhole`: no more is to come */
export function Code({ text, language, isWhole }) {
  /** @type {{current: HTMLElement | null}} */
  const element = useRef(null);
  useEdges(element);
  if (isWhole && language && !isAsked) ask();
  const colour = isWhole && language ? pieces.value : undefined;
  const inner = useMemo(() => (colour ? colour(text, language).map(({ kind, text: piece }) => (kind ? html`<i class=${`of-${kind}`}>${piece}</i>` : piece)) : text), [colour, text, language]);
  return html`
    <figure class="code">
      <figcaption><span>${language || t('answer.plainText')}</span><${CopyButton} text=${() => text} label=${t('answer.copyCode')} /></figcaption>
      <pre tabindex="0" ref=${element}><code>${inner}</code></pre>
    </figure>
  `;
}
