// Where messages are written. Enter sends, Shift+Enter begins a line, Esc stops the answer; the draft is kept.

import { html, useLayoutEffect, useRef } from './vendor/ui.mjs';
import { Send, Square } from './buttons.js';
import { t } from './i18n.js';
import { busy, draft, isAdmitted, say, setDraft, stop } from './session.js';

const HEIGHT_PX_MAX = 220;

/** @param {{onSent: () => void}} props */
export function Composer({ onSent }) {
  /** @type {{current: HTMLTextAreaElement | null}} */
  const field = useRef(null);
  const text = draft.value;

  // At once: a panel that opens with the page takes the focus afterwards.
  useLayoutEffect(() => field.current?.focus({ preventScroll: true }), []);
  useLayoutEffect(() => fit(field.current), [text]);

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    if (!text.trim()) return;
    if (!say(text)) return;
    setDraft('');
    onSent();
    field.current?.focus();
  }

  function typed() {
    setDraft(field.current?.value ?? '');
  }

  /** @param {KeyboardEvent} event */
  function keyPressed(event) {
    // While an input method composes, Enter chooses a word.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
  }

  return html`
    <form class="composer" onSubmit=${submit}>
      <label class="sr-only" for="message">${t('composer.message')}</label>
      <textarea id="message" dir="auto" ref=${field} rows="1" placeholder=${t('composer.write')} enterkeyhint="send" autocomplete="off"
        readonly=${!isAdmitted.value} value=${text} onInput=${typed} onKeyDown=${keyPressed} />
      ${busy.value && html`<button type="button" class="round stop" title=${t('composer.stopKey')} aria-label=${t('composer.stop')} onClick=${stop}><${Square} /></button>`}
      <button type="submit" class="round send" title=${t('composer.sendKey')} aria-label=${t('composer.send')} aria-disabled=${!text.trim()}><${Send} /></button>
    </form>
  `;
}

/** As tall as its text, up to a bound. @param {HTMLTextAreaElement | null} field */
function fit(field) {
  if (!field) return;
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight, HEIGHT_PX_MAX)}px`;
}
