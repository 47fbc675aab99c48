// What can be done with one conversation: rename it, copy its link, save it as a file, delete it. The list shows these for each
// row, the top bar for the conversation on the page.

import { html, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { copyText } from './buttons.js';
import { removeLater } from './deletions.js';
import { t } from './i18n.js';
import { download, linkTo, rename, sentence } from './kept.js';

/** @typedef {import('./kept.js').Row} Row */

const TITLE_CHARACTERS_MAX = 80;
const COPIED_MS = 1500;

/** @param {{row: Row, onRename: () => void, onDelete?: () => void}} props */
export function Actions({ row, onRename, onDelete }) {
  const [state, setState] = useState({ isBusy: false, trouble: '' });
  /** @param {'md' | 'json'} format */
  async function save(format) {
    setState({ isBusy: true, trouble: '' });
    const trouble = await download(row.id, format).then(() => '', sentence);
    setState({ isBusy: false, trouble });
  }
  function erase() {
    onDelete?.();
    removeLater(row);
  }
  return html`
    <div class="actions" role="group" aria-label=${t('list.actions')}>
      <button type="button" class="quiet" onClick=${onRename}>${t('list.rename')}</button>
      <${CopyLink} id=${row.id} />
      <button type="button" class="quiet" disabled=${state.isBusy} onClick=${() => save('md')}>${t('list.markdown')}</button>
      <button type="button" class="quiet" disabled=${state.isBusy} onClick=${() => save('json')}>${t('list.json')}</button>
      <button type="button" class="quiet danger" onClick=${erase}>${t('list.delete')}</button>
      ${state.trouble && html`<p class="failure" role="alert">${t('list.unsaved', { why: state.trouble })}</p>`}
    </div>
  `;
}

/** @param {{id: string}} props */
export function CopyLink({ id }) {
  const [isCopied, setCopied] = useState(false);
  async function copy() {
    await copyText(linkTo(id));
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  }
  return html`<button type="button" class="quiet" onClick=${copy}>${isCopied ? t('app.copied') : t('list.copyLink')}</button>`;
}

/** @param {{row: Row, onEnd: () => void}} props */
export function Renaming({ row, onEnd }) {
  /** @type {{current: HTMLInputElement | null}} */
  const field = useRef(null);
  const [state, setState] = useState({ isBusy: false, trouble: '' });
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const title = (field.current?.value ?? '').trim();
    if (title === row.title) return onEnd();
    setState({ isBusy: true, trouble: '' });
    try {
      await rename(row.id, title);
      onEnd();
    } catch (error) {
      setState({ isBusy: false, trouble: sentence(error) });
    }
  }
  /** @param {KeyboardEvent} event */
  function keyPressed(event) {
    event.stopPropagation();
    if (event.key !== 'Escape') return;
    // What lies around stays open.
    event.preventDefault();
    onEnd();
  }
  return html`
    <form class="renaming" onSubmit=${submit} onKeyDown=${keyPressed}>
      <input ref=${field} dir="auto" aria-label=${t('list.title')} placeholder=${t('list.firstQuestion')} maxlength=${TITLE_CHARACTERS_MAX} autocomplete="off"
        value=${row.title} readonly=${state.isBusy} />
      <span class="choices">
        <button type="button" class="quiet" onClick=${onEnd}>${t('app.cancel')}</button>
        <button type="submit" class="plain" aria-disabled=${state.isBusy}>${t('app.save')}</button>
      </span>
      ${state.trouble && html`<p class="failure" role="alert">${state.trouble}</p>`}
    </form>
  `;
}
