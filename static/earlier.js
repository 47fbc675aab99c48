// The results of turns from before the page was there. They are read when the turn comes into view, once, and few at a time.
//
// A turn's events have them as they were. The server keeps those of the last turns only; of others it may still have the calls, and
// so the rows that a query returned and how the model wanted them shown.

import { html, useEffect, useRef } from './vendor/ui.mjs';
import { parsed, read, readEvents, written } from './api.js';
import { list } from './coerce.js';
import { foundShown, shown } from './live.js';
import { isDisplay } from './shown.js';

/** @typedef {import('./contract.js').Control} Control */

/** At once. */
const READS_MAX = 2;
/** A screen ahead. */
const AHEAD = '100%';

/** Those that wait, the last that came into view first. @type {string[]} */
const waiting = [];
let reads = 0;

/** Stands where the results will be. @param {{id: string}} props */
export function Earlier({ id }) {
  /** @type {{current: HTMLElement | null}} */
  const place = useRef(null);
  useEffect(() => {
    if (!place.current) return;
    const observer = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && comes(), { root: place.current.closest('.scroller'), rootMargin: AHEAD });
    observer.observe(place.current);
    function comes() {
      observer.disconnect();
      waiting.push(id);
      next();
    }
    return () => observer.disconnect();
  }, [id]);
  return html`<span class="earlier" ref=${place}></span>`;
}

async function next() {
  if (reads >= READS_MAX) return;
  const id = waiting.pop();
  if (!id) return;
  reads += 1;
  // What can't be read now is read with the page's next visit.
  foundShown(id, await displaysOf(id).catch(() => []));
  reads -= 1;
  next();
}

/** @param {string} id @returns {Promise<Control[]>} */
async function displaysOf(id) {
  const last = (await readEvents(id)).findLast(({ event }) => event === 'controls');
  // Also where the answer showed the same as the one before: then no event says so.
  return last ? ofAnswer(last.controls, shown.peek().machines) : ofCalls(await read('/api/turn', { id }));
}

/** What was the answer's own then. The machines of that time are not known, but their buttons carry their names, and what
 * they show stands before their buttons. @param {Control[]} controls @param {import('./contract.js').Machine[]} machines */
export function ofAnswer(controls, machines) {
  const end = controls.findIndex(({ source }) => String(source ?? '').startsWith('machine:'));
  const own = (end < 0 ? controls : controls.slice(0, end)).filter(isDisplay);
  const same = (/** @type {Control} */ one, /** @type {Control} */ other) => one.type === other.type && one.label === other.label && one.key === other.key;
  const ofMachines = machines.flatMap(({ states }) => list(states).flatMap(({ content }) => list(content)));
  const isOwn = (/** @type {Control} */ display) => !ofMachines.some((other) => same(display, other) && (display.key !== undefined || written(display) === written(other)));
  return own.filter(isOwn);
}

/** Displays of the queries that a turn made. @param {any} turn */
export function ofCalls({ calls, databases }) {
  const wishes = list(calls).flatMap(({ reply }) => [reply?.text, ...list(reply?.tool_calls)].flatMap(wishesIn));
  const samples = new Set(list(databases).filter(({ is_sample: isSample }) => isSample).map(({ name }) => name));
  return list(calls).flatMap(({ request, reply }) => {
    const sql = request?.ask?.Query?.sql;
    const found = reply?.database?.Rows;
    if (!sql || !found) return [];
    const wish = wishes.findLast((one) => one.sql === sql)?.show ?? { as: 'table' };
    return displayOf(typeof wish === 'string' ? { as: wish } : wish, found, { sql, sample: samples.has(request.database) });
  });
}

/** What a model wrote about queries, however deep. @param {unknown} value @returns {{sql: string, show?: any}[]} */
function wishesIn(value) {
  if (typeof value === 'string') {
    try {
      return /^\s*[{[]/.test(value) ? wishesIn(parsed(value)) : [];
    } catch {
      return [];
    }
  }
  if (value === null || typeof value !== 'object') return [];
  const inner = Object.values(value).flatMap(wishesIn);
  return 'sql' in value && typeof value.sql === 'string' ? [/** @type {any} */ (value), ...inner] : inner;
}

/** @param {any} wish @param {{columns: string[], rows: any[][]}} found @param {object} origin @returns {any[]} */
function displayOf({ as, label, x, y }, { columns, rows }, origin) {
  if (as === 'none') return [];
  const place = (/** @type {string} */ name) => columns.findIndex((column) => column.toLowerCase() === String(name).toLowerCase());
  const along = x ? place(x) : 0;
  const named = list(y).map(place);
  const up = named.length > 0 ? named : columns.map((_, at) => at).filter((at) => at !== along && rows.some((row) => typeof row[at] === 'number'));
  const isChart = (as === 'line' || as === 'bar') && rows.length > 1 && along >= 0 && up.length > 0 && up.every((at) => at >= 0);
  if (!isChart) return [{ type: 'table', label, columns, rows, ...origin }];
  const series = up.map((at) => ({ name: columns[at], values: rows.map((row) => row[at]) }));
  return [{ type: 'chart', kind: as, label, x: rows.map((row) => row[along]), series, ...origin }];
}
