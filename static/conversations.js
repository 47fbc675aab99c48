// The list of conversations: by day, with a search, beside the chat or as a sheet above it. Each conversation is a link, so
// that the browser can open it in another tab too.

import { effect, html, signal, useEffect, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { Actions, Renaming } from './actions.js';
import { Close, Fresh } from './buttons.js';
import { grouped } from './days.js';
import { deletions, undo } from './deletions.js';
import { dated, t } from './i18n.js';
import { ROWS_MAX, list, nameOf, readList, readMore, recall } from './kept.js';
import { closeList, isAbove, isBeside, searches } from './panes.js';
import { openPanel, openTurn } from './route.js';
import { addressOf, busy, unsentIn, startOver } from './session.js';
import { here } from './title.js';
import { unturned } from './words.js';

/** @typedef {import('./kept.js').Row} Row */

const TYPING_MS = 200;
const FIELD = 'list-search';
const LINKS = '.conversations a[data-row]';

/** What stands in the search field. */
const wanted = signal('');

export function Conversations() {
  const isSheet = isAbove.value;
  /** @type {{current: HTMLDialogElement | null}} */
  const dialog = useRef(null);
  /** What had the focus when the list was called for, and gets it back. @type {{current: Element | null}} */
  const before = useRef(document.activeElement);

  useLayoutEffect(() => {
    if (isSheet && !dialog.current?.open) dialog.current?.showModal();
  }, [isSheet]);
  useFocusedSearch(before);
  useReading();

  function close() {
    if (!isAbove.value && !isBeside.value) return;
    // Behind an open sheet nothing takes the focus.
    dialog.current?.close();
    closeList();
    wanted.value = '';
    const there = before.current instanceof HTMLElement && before.current.isConnected ? before.current : document.getElementById('list-toggle');
    there?.focus();
  }
  const inside = html`<${Inside} onClose=${close} />`;
  return isSheet
    ? html`<dialog class="conversations above" ref=${dialog} aria-label=${t('list.heading')} onClose=${close} onClick=${(/** @type {Event} */ event) => event.target === dialog.current && close()}>${inside}</dialog>`
    : html`<nav class="conversations" aria-label=${t('list.heading')}>${inside}</nav>`;
}

/** Ctrl+K leads to the search, also when the list is open. @param {{current: Element | null}} before */
function useFocusedSearch(before) {
  const count = searches.value;
  const seen = useRef(0);
  useLayoutEffect(() => {
    // A list that was open when the page was left doesn't take the focus from the message field.
    if (count === seen.current) return;
    seen.current = count;
    const active = document.activeElement;
    if (active && !active.closest('.conversations')) before.current = active;
    const field = document.getElementById(FIELD);
    if (field instanceof HTMLInputElement) {
      field.focus();
      field.select();
    }
  }, [count]);
}

/** Reads the list when it opens, when another search is typed, and when a turn has ended. */
function useReading() {
  useEffect(() => {
    recall();
    let timer = 0;
    let last = '';
    let isFirst = true;
    const stop = effect(() => {
      const search = wanted.value.trim();
      const isTyping = !isFirst && search !== last;
      if (busy.value && !isTyping && !isFirst) return;
      [last, isFirst] = [search, false];
      clearTimeout(timer);
      timer = setTimeout(() => readList(search), isTyping ? TYPING_MS : 0);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, []);
}

/** @param {{onClose: () => void}} props */
function Inside({ onClose }) {
  /** Enter was pressed before what was typed had been found. */
  const opensFirst = useRef(false);
  const { search, rows, isKept } = list.value;
  const isUpToDate = search === wanted.value.trim() && list.value.isRead;

  useEffect(() => {
    if (!opensFirst.current || !isUpToDate) return;
    opensFirst.current = false;
    first()?.click();
  }, [isUpToDate, rows]);

  /** @param {KeyboardEvent} event */
  function keyPressed(event) {
    // Esc would stop the answer otherwise.
    event.stopPropagation();
    const inField = event.target instanceof HTMLInputElement;
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp':
        event.preventDefault();
        return move(event.key === 'ArrowDown' ? 1 : -1);
      case 'Enter':
        if (!inField) return;
        event.preventDefault();
        if (isUpToDate) first()?.click();
        else opensFirst.current = true;
        return;
      case 'Escape':
        // A sheet closes by itself otherwise.
        event.preventDefault();
        if (inField && wanted.value) wanted.value = '';
        else onClose();
    }
  }

  return html`
    <div class="inside" onKeyDown=${keyPressed}>
      <div class="list-head">
        <h2>${t('list.heading')}</h2>
        <button type="button" class="round quiet" aria-label=${t('list.new')} title=${t('list.new')} onClick=${startOver}><${Fresh} /></button>
        <button type="button" class="round quiet" aria-label=${t('list.close')} title=${t('list.close')} onClick=${onClose}><${Close} /></button>
      </div>
      ${isKept
        ? html`
          <label class="sr-only" for=${FIELD}>${t('list.search')}</label>
          <input id=${FIELD} type="search" dir="auto" placeholder=${t('list.search')} enterkeyhint="go" autocomplete="off" value=${wanted.value}
            onInput=${(/** @type {any} */ { target }) => (wanted.value = target.value)} />
          <${Rows} onClose=${onClose} />`
        : html`<p class="none">${t('list.notKept')}</p>`}
    </div>
  `;
}

/** @returns {HTMLAnchorElement | null} */
const first = () => document.querySelector(LINKS);

/** Moves the focus among the search field and the conversations. @param {number} step */
function move(step) {
  const stops = [document.getElementById(FIELD), ...document.querySelectorAll(LINKS)];
  const row = document.activeElement?.closest('li')?.querySelector('a[data-row]');
  const at = stops.indexOf(row ?? /** @type {any} */ (document.activeElement));
  const next = stops[Math.min(stops.length - 1, Math.max(0, at + step))];
  if (next instanceof HTMLElement) next.focus();
}

/** @param {{onClose: () => void}} props */
function Rows({ onClose }) {
  const { rows, search, next, isRead, trouble } = list.value;
  const [isReading, setReading] = useState(false);
  async function more() {
    setReading(true);
    const before = rows.length;
    await readMore();
    setReading(false);
    requestAnimationFrame(() => isFocusFree() && focus(document, `${LINKS}[data-row="${list.value.rows[before]?.id}"]`));
  }
  async function again() {
    await readList(search);
    requestAnimationFrame(() => isFocusFree() && document.getElementById(FIELD)?.focus());
  }
  return html`
    <div class="list-body">
      <p class="none" role="status">${isRead && !trouble && rows.length === 0 ? (search ? t('list.nothing', { search }) : t('list.empty')) : ''}</p>
      ${trouble && html`<p class="failure" role="alert">${trouble} <button type="button" class="quiet" onClick=${again}>${t('app.again')}</button></p>`}
      ${grouped(rows, Date.now()).map(
        ({ day, rows: ofDay }) => html`
          <section key=${day} aria-labelledby=${`list-${day}`}>
            <h3 id=${`list-${day}`}>${dayName(day)}</h3>
            <ul>${ofDay.map((row) => html`<${RowView} key=${row.id} row=${row} day=${day} onClose=${onClose} />`)}</ul>
          </section>
        `,
      )}
      ${next && html`<p class="more"><button type="button" class="plain" aria-disabled=${isReading} onClick=${() => isReading || more()}>${t('list.more')}</button></p>`}
      ${rows.length >= ROWS_MAX && html`<p class="none">${t('list.bound', { count: ROWS_MAX })}</p>`}
    </div>
  `;
}

/** @param {import('./days.js').Day} day */
function dayName(day) {
  return t(day === 'today' ? 'list.today' : day === 'yesterday' ? 'list.yesterday' : 'list.older');
}

/** Which row shows what can be done with it, and which is being renamed: one at a time. */
const unfolded = signal('');
const renamed = signal('');

/** @param {{row: Row, day: import('./days.js').Day, onClose: () => void}} props */
function RowView({ row, day, onClose }) {
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

/** What had it is gone. */
const isFocusFree = () => document.activeElement === document.body;

/** @param {ParentNode | null} item @param {string} selector */
function focus(item, selector) {
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
