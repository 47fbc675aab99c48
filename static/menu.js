// The menu of the conversation on the page: its title, what it runs on, its link and who can open it, and what can be done
// with it. Opens below the title in the top bar.

import { html, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { isShared } from './api.js';
import { Actions, CopyLink, Renaming } from './actions.js';
import { deletions, undo } from './deletions.js';
import { t } from './i18n.js';
import { clear, graphName, turns } from './session.js';
import { current, here, title } from './title.js';

const MENU = 'conversation-menu';

export function Menu() {
  const [isRenamed, setRenamed] = useState(false);
  const row = current.value;
  const isDeleted = here() in deletions.value;
  /** @type {{current: HTMLElement | null}} */
  const actions = useRef(null);

  /** Something was done here, and the button that had the focus goes away. */
  const isActed = useRef(false);
  useLayoutEffect(() => {
    if (isActed.current) actions.current?.querySelector('button')?.focus();
    isActed.current = false;
  }, [isDeleted, isRenamed]);
  /** @param {() => void} act */
  const acting = (act) => () => {
    isActed.current = true;
    act();
  };

  return html`
    ${isRenamed && row ? html`<${Renaming} row=${row} onEnd=${acting(() => setRenamed(false))} />` : html`<h2 dir="auto">${title.value || t('list.new')}</h2>`}
    ${graphName.value && html`<p class="facts">${t('menu.graph', { graph: graphName.value })}</p>`}
    <p>${isShared ? t('menu.shared') : t('menu.own')}</p>
    <div ref=${actions}>
      ${isDeleted
        ? html`<p role="status">${t('list.deleting')} <button type="button" class="plain" onClick=${acting(() => undo(here()))}>${t('list.undo')}</button></p>`
        : row
          ? html`<${Actions} row=${row} onRename=${() => setRenamed(true)} onDelete=${acting(() => {})} />`
          : html`<div class="actions"><${CopyLink} id=${here()} /></div>`}
    </div>
    ${turns.value.length > 0 && html`<${Clear} />`}
  `;
}

/** Clearing forgets what no undo brings back, so it is confirmed. */
function Clear() {
  /** @type {{current: HTMLDialogElement | null}} */
  const dialog = useRef(null);
  const close = () => dialog.current?.close();
  function erase() {
    close();
    document.getElementById(MENU)?.hidePopover();
    clear();
    document.getElementById('message')?.focus();
  }
  return html`
    <div class="actions"><button type="button" class="quiet danger" onClick=${() => dialog.current?.showModal()}>${t('menu.clear')}</button></div>
    <dialog class="sheet" ref=${dialog} aria-labelledby="clear-title">
      <h2 id="clear-title">${t('menu.clearTitle')}</h2>
      <p>${t('menu.clearWhat')}</p>
      <p class="choices">
        <button type="button" class="plain" onClick=${close}>${t('app.cancel')}</button>
        <button type="button" class="strong" onClick=${erase}>${t('menu.clearNow')}</button>
      </p>
    </dialog>
  `;
}
