// The list of conversations: by day, with a search, beside the chat or as a sheet above it. Each conversation is a link, so
// that the browser can open it in another tab too.

import { effect, html, signal, useEffect, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { Close, Fresh } from './buttons.js';
import { grouped } from './days.js';
import { t } from './i18n.js';
import { ROWS_MAX, list, readList, readMore, recall } from './kept.js';
import { FIELD, RowView, focus } from './listrow.js';
import { closeList, isAbove, isBeside, searches } from './panes.js';
import { busy, startOver } from './session.js';

const TYPING_MS = 200;
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

let answered = 0;

/** Ctrl+K leads to the search, also when the list is open. @param {{current: Element | null}} before */
function useFocusedSearch(before) {
  const count = searches.value;
  useLayoutEffect(() => {
    // A list that was open when the page was left, or is back beside the chat, takes the focus from nothing.
    if (count === answered) return;
    answered = count;
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
      ${next && html`<p class="list-more"><button type="button" class="plain" aria-disabled=${isReading} onClick=${() => isReading || more()}>${t('list.more')}</button></p>`}
      ${rows.length >= ROWS_MAX && html`<p class="none">${t('list.bound', { count: ROWS_MAX })}</p>`}
    </div>
  `;
}

/** @param {import('./days.js').Day} day */
function dayName(day) {
  return t(day === 'today' ? 'list.today' : day === 'yesterday' ? 'list.yesterday' : 'list.older');
}

/** What had it is gone. */
const isFocusFree = () => document.activeElement === document.body;
