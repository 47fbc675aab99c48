// "Fork from here": a conversation of its own that goes as this one did up to before a turn, and then on with another message.

import { html, useState } from './vendor/ui.mjs';
import { newName, post } from './api.js';
import { t } from './i18n.js';

/** @param {{turn: string, message: string}} props  `message`: what the turn began with */
export function Fork({ turn, message }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <button type="button" class="quiet" aria-expanded=${isOpen} title=${t('fork.about')} onClick=${() => setOpen(!isOpen)}>${t('fork.name')}</button>
    ${isOpen && html`<${Form} key=${turn} turn=${turn} message=${message} />`}
  `;
}

/** @param {{turn: string, message: string}} props */
function Form({ turn, message }) {
  const [text, setText] = useState(message);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');
  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setTrouble('');
    const to = newName();
    try {
      await post('/api/sessions/fork', { turn, to, ...(text.trim() && { message: text }) });
      location.assign(`${location.pathname}?session=${to}`);
    } catch (error) {
      setTrouble(/** @type {Error} */ (error).message);
      setBusy(false);
    }
  }
  return html`
    <form class="fork" onSubmit=${submit}>
      <label>${t('fork.message')}<textarea rows="2" dir="auto" value=${text} onInput=${(/** @type {any} */ { target }) => setText(target.value)}></textarea></label>
      <p class="facts">${t('fork.explained', { turn })}</p>
      <p class="choices"><button type="submit" class="strong" disabled=${isBusy}>${t('fork.start')}</button></p>
      ${trouble && html`<p class="bad" role="alert">${trouble}</p>`}
    </form>
  `;
}
