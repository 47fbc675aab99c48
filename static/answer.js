// An answer's Markdown on the page. Blocks that haven't changed since the last piece came are left as they are.

import { html, useMemo, useRef } from './vendor/ui.mjs';
import { Code } from './code.js';
import { useEdges } from './edges.js';
import { language, t } from './i18n.js';
import { blocks, grown, rendered } from './markdown.js';
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
  return useMemo(() => drawn(block, isGrowing), [block.type, block.raw, isGrowing, language.value]);
}

/** @param {import('./markdown.js').Block} block @param {boolean} isGrowing */
function drawn(block, isGrowing) {
  if (block.type === 'code') {
    const isWhole = !isGrowing || /\n\s*(?:`{3,}|~{3,})\s*$/.test(block.raw);
    return html`<${Code} text=${visible(block.text ?? '')} language=${(block.lang ?? '').split(/\s/)[0]} isWhole=${isWhole} />`;
  }
  const inner = { __html: rendered(block) };
  if (block.type !== 'table') return html`<div class="block" dir="auto" dangerouslySetInnerHTML=${inner} />`;
  return html`<${Sideways} inner=${inner} dir=${isRightToLeft(block.raw) ? 'rtl' : undefined} />`;
}

/** A table, which scrolls where it is wider than the text. @param {{inner: any, dir: string | undefined}} props */
function Sideways({ inner, dir }) {
  /** @type {{current: HTMLElement | null}} */
  const element = useRef(null);
  useEdges(element);
  return html`<div class="block scroll" ref=${element} dir=${dir} tabindex="0" role="group" aria-label=${t('results.table')} dangerouslySetInnerHTML=${inner} />`;
}
