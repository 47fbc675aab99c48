// One conversation in the list: a link, what can be done with it, and the undo of its deletion.

import { html, signal, useLayoutEffect, useRef } from './vendor/ui.mjs';
import { Actions, Renaming } from './actions.js';
import { deletions, undo } from './deletions.js';
import { dated, t } from './i18n.js';
import { nameOf } from './kept.js';
import { isAbove } from './panes.js';
import { openPanel, openTurn } from './route.js';
import { addressOf, unsentIn } from './session.js';
import { here } from './title.js';
import { unturned } from './words.js';

/** @typedef {import('./kept.js').Row} Row */

/** The search field, which takes the focus of a row that goes away. */
export const FIELD = 'list-search';

/** Which row shows what can be done with it, and which is being renamed: one at a time. */
const unfolded = signal('');
const renamed = signal('');

/** @param {{row: Row, day: import('./days.js').Day, onClose: () => void}} props */
export function RowView({ row, day, onClose }) {
  /** @type {{current: HTMLElement | null}} */
  const item = useRef(null);
  const { id } = row;
  const title = unturned(row.title) || t('list.untitled');
  const isHere = id === here();
  const isUnfolded = unfolded.value === id;
  const isRenamed = renamed.value === id;
  const isDeleted = id in deletions.value;
  const unsent = isHere ? 0 : unsentIn(nameOf(id));
  const panel = `list-actions-${id}`;

  /** Something was done here, and the button that had the focus goes away. */
  const isActed = useRef(false);
  useLayoutEffect(() => {
    if (isActed.current) focus(item.current, isDeleted ? '.undo' : 'a[data-row]');
    isActed.current = false;
  }, [isDeleted, isRenamed]);
  /** @param {() => void} act */
  const acting = (act) => () => {
    isActed.current = true;
    act();
  };

  useLayoutEffect(() => {
    const node = item.current;
    return () => node?.contains(document.activeElement) && document.getElementById(FIELD)?.focus();
  }, []);

  if (isDeleted) {
    return html`
      <li ref=${item} class="deleted">
        <p role="status"><s dir="auto">${title}</s> <span>${t('list.deleting')}</span></p>
        <button type="button" class="plain undo" aria-label=${t('list.undoOf', { title })} onClick=${acting(() => undo(id))}>${t('list.undo')}</button>
      </li>
    `;
  }
  if (isRenamed) return html`<li ref=${item}><${Renaming} row=${row} onEnd=${acting(() => (renamed.value = ''))} /></li>`;

  /** @param {MouseEvent} event */
  function open(event) {
    if (!isHere || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    if (isAbove.value) onClose();
    document.getElementById('message')?.focus();
  }
  return html`
    <li ref=${item} data-here=${isHere} data-unfolded=${isUnfolded}>
      <div class="row">
        <a data-row=${id} href=${addressOfRow(id)} aria-current=${isHere ? 'page' : undefined} onClick=${open}>
          <span class="row-title" dir="auto">${title}</span>
          <small>${when(row, day)}${unsent > 0 && html`<b> · ${t('list.unsent', { count: unsent })}</b>`}</small>
        </a>
        <button type="button" class="quiet options" aria-label=${t('list.optionsOf', { title })} title=${t('list.options')} aria-expanded=${isUnfolded}
          aria-controls=${isUnfolded ? panel : undefined} onClick=${() => (unfolded.value = isUnfolded ? '' : id)}>⋯</button>
      </div>
      ${isUnfolded && html`<div id=${panel}><${Actions} row=${row} onRename=${() => (renamed.value = id)} onDelete=${acting(() => (unfolded.value = ''))} /></div>`}
    </li>
  `;
}

/** @param {ParentNode | null} item @param {string} selector */
export function focus(item, selector) {
  const found = item?.querySelector(selector);
  if (found instanceof HTMLElement) found.focus();
}

/** A panel that is about no turn stays open. @param {string} id */
function addressOfRow(id) {
  const panel = openPanel.value && !openTurn.value ? `#/${openPanel.value}` : '';
  return addressOf(nameOf(id)) + panel;
}

/** @param {Row} row @param {import('./days.js').Day} day */
function when({ used_at: at }, day) {
  if (day !== 'older') return dated(at, { timeStyle: 'short' });
  const isThisYear = new Date(at).getFullYear() === new Date().getFullYear();
  return dated(at, { day: 'numeric', month: 'short', ...(isThisYear ? {} : { year: 'numeric' }) });
}
