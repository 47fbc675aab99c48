// What stood in a conversation before: a message is edited here, and its earlier versions are looked at.

import { html, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { Answer } from './answer.js';
import { isPending } from './conversation.js';
import { t } from './i18n.js';
import { edit, withdraw } from './session.js';
import { unturned } from './words.js';

/** @typedef {import('./contract.js').Variant} Variant */
/** @typedef {import('./conversation.js').Turn} Turn */

/** In the place of a message. Enter sends, Shift+Enter begins a line, Esc leaves it as it was. @param {{turn: Turn, onEnd: () => void}} props */
export function Editor({ turn, onEnd }) {
  /** @type {{current: HTMLTextAreaElement | null}} */
  const field = useRef(null);
  const [text, setText] = useState(turn.question ?? '');
  const [isSending, setSending] = useState(false);
  const isWaiting = isPending(turn);

  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, []);

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (!text.trim() || isSending) return;
    setSending(true);
    // What is not taken stays here.
    if (await edit(turn, text)) leave();
    else setSending(false);
  }

  /** The focus goes where the next thing is written. */
  function leave() {
    onEnd();
    document.getElementById('message')?.focus();
  }

  function cancel() {
    const article = field.current?.closest('article');
    onEnd();
    // The button that led here is drawn first.
    requestAnimationFrame(() => /** @type {HTMLElement | null | undefined} */ (article?.querySelector('.edit'))?.focus());
  }

  /** @param {KeyboardEvent} event */
  function keyPressed(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key !== 'Escape') return;
    // Elsewhere it stops the answer.
    event.stopPropagation();
    cancel();
  }

  return html`
    <form class="editor" onSubmit=${submit}>
      <textarea dir="auto" ref=${field} rows=${Math.min(8, text.split('\n').length + 1)} aria-label=${t('chat.edit')} value=${text}
        onInput=${() => setText(field.current?.value ?? '')} onKeyDown=${keyPressed} />
      <p class="choices">
        ${isWaiting && html`<button type="button" class="quiet" onClick=${() => withdraw(turn)}>${t('versions.withdraw')}</button>`}
        <button type="button" class="plain" onClick=${cancel}>${t('versions.cancel')}</button>
        <button type="submit" class="strong" disabled=${!text.trim() || isSending}>${t(isWaiting ? 'versions.change' : 'versions.send')}</button>
      </p>
      ${!isWaiting && html`<p class="facts">${t('versions.note')}</p>`}
    </form>
  `;
}

/** @param {{variants: Variant[]}} props */
export function Versions({ variants }) {
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(variants.length - 1);
  const at = Math.min(chosen, variants.length - 1);
  const { messages, cut } = variants[at];
  return html`
    <section class="versions" aria-label=${t('versions.title')}>
      <p class="choices">
        <button type="button" class="quiet" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${t('versions.count', { count: variants.length })}</button>
        ${isOpen && html`
          <button type="button" class="quiet" aria-label=${t('versions.previous')} disabled=${at === 0} onClick=${() => setChosen(at - 1)}>‹</button>
          <span role="status">${t('versions.place', { number: at + 1, count: variants.length })}</span>
          <button type="button" class="quiet" aria-label=${t('versions.next')} disabled=${at === variants.length - 1} onClick=${() => setChosen(at + 1)}>›</button>
        `}
      </p>
      ${isOpen && html`
        <div class="version">
          ${messages.map(({ role, content }) => role === 'user'
            ? html`<p class="was-asked" dir="auto"><span class="sr-only" dir="ltr">${t('chat.you')} </span>${unturned(content)}</p>`
            : html`<${Answer} text=${content} isGrowing=${false} />`)}
          ${cut && html`<p class="facts">${t('versions.cut')}</p>`}
        </div>
      `}
    </section>
  `;
}
