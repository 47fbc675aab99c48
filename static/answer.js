// An answer's Markdown on the page. Blocks that haven't changed since the last piece came are left as they are.

import { html, useMemo, useRef } from './vendor/ui.mjs';
import { blocks, grown, rendered } from './markdown.js';
import { CopyButton } from './buttons.js';
import { isRightToLeft, visible } from './words.js';

/** @param {{text: string, isGrowing: boolean}} props */
export function Answer({ text, isGrowing }) {
  /** @type {{current: import('./markdown.js').Block[]}} */
  const known = useRef([]);
  const parts = useMemo(() => {
    const plain = text.replace(/\r\n?/g, '\n');
    // Once it is whole it is read as a whole: a link may be explained at the very end.
    return (known.current = isGrowing ? grown(plain, known.current) : blocks(plain));
  }, [text, isGrowing]);
  return html`<div class="answer">${parts.map((block, at) => html`<${Block} key=${at} block=${block} isGrowing=${isGrowing} />`)}</div>`;
}

/** Drawn once while the answer grows, and once more at the end. @param {{block: import('./markdown.js').Block, isGrowing: boolean}} props */
function Block({ block, isGrowing }) {
  return useMemo(() => drawn(block), [block.type, block.raw, isGrowing]);
}

/** @param {import('./markdown.js').Block} block */
function drawn(block) {
  if (block.type === 'code') return html`<${Code} text=${visible(block.text ?? '')} language=${(block.lang ?? '').split(/\s/)[0]} />`;
  const inner = { __html: rendered(block) };
  if (block.type !== 'table') return html`<div class="block" dir="auto" dangerouslySetInnerHTML=${inner} />`;
  return html`<div class="block scroll" dir=${isRightToLeft(block.raw) ? 'rtl' : undefined} tabindex="0" role="region" aria-label="Table" dangerouslySetInnerHTML=${inner} />`;
}

/** @param {{text: string, language: string}} props */
function Code({ text, language }) {
  return html`
    <figure class="code">
      <figcaption><span>${language || 'text'}</span><${CopyButton} text=${() => text} label="Copy the code" /></figcaption>
      <pre tabindex="0"><code>${text}</code></pre>
    </figure>
  `;
}
