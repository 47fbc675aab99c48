// The conversations that the server keeps, as far as they have been read, and what can be done with them.
//
// Invariant: `list` never holds the rows of another search than the one it names.

import { signal } from './vendor/ui.mjs';
import { Refusal, isShared, parsed, postRepeatable, read, readText } from './api.js';
import { addressOf, own } from './session.js';
import { remember, remembered } from './storage.js';
import { current, here, isWithoutJournal } from './title.js';
import { forgetVisit, visited } from './visited.js';

/** @typedef {import('./title.js').Row} Row */
/** `trouble`: why it can't be read, in a sentence; `isKept`: the server keeps conversations at all.
 * @typedef {{search: string, rows: Row[], next: string | null, isRead: boolean, isKept: boolean, trouble: string}} List */

const PAGE = 50;
const PAGE_MAX = 200;
export const ROWS_MAX = 500;
const STORED = 'list';

/** @type {import('./vendor/ui.mjs').Signal<List>} */
export const list = signal({ search: '', rows: [], next: null, isRead: false, isKept: true, trouble: '' });
let reads = 0;

/** What was read before the page was left is shown until it is read again. */
export function recall() {
  if (list.value.isRead) return;
  const rows = storedRows();
  if (rows.length > 0) list.value = { ...list.value, rows };
}

/** @returns {Row[]} */
function storedRows() {
  try {
    const rows = parsed(remembered(own(STORED, ''), 'tab') || '[]');
    return Array.isArray(rows) ? rows.slice(0, PAGE) : [];
  } catch {
    return [];
  }
}

/** Reads the first page, again as much as is shown of the same search. @param {string} search */
export async function readList(search) {
  const before = list.value;
  const shown = before.search === search ? before.rows : [];
  const limit = Math.min(PAGE_MAX, Math.max(PAGE, shown.length));
  const found = await page({ search, limit });
  if (!found) return;
  const { sessions, next } = found;
  const oldest = sessions.at(-1)?.used_at ?? 0;
  const known = new Set(sessions.map(({ id }) => id));
  // Pages behind those that were read again.
  const further = next && shown.length > limit ? shown.slice(limit).filter(({ id, used_at: at }) => at <= oldest && !known.has(id)) : [];
  list.value = { search, rows: [...sessions, ...further], next: further.length > 0 ? before.next : next, isRead: true, isKept: true, trouble: '' };
  if (!search) remember(own(STORED, ''), JSON.stringify(sessions.slice(0, PAGE)), 'tab');
}

export async function readMore() {
  const { search, next, rows } = list.value;
  if (!next) return;
  const found = await page({ search, limit: PAGE, before: next });
  if (!found) return;
  const known = new Set(rows.map(({ id }) => id));
  const all = [...rows, ...found.sessions.filter(({ id }) => !known.has(id))].slice(0, ROWS_MAX);
  list.value = { ...list.value, rows: all, next: all.length < ROWS_MAX ? found.next : null, trouble: '' };
}

/** None where a later one was asked for, or where it failed, which the list then says.
 * @param {Record<string, string | number>} query @returns {Promise<{sessions: Row[], next: string | null} | undefined>} */
async function page(query) {
  reads += 1;
  const mine = reads;
  try {
    const found = await read('/api/sessions', { ...named(), ...query });
    if (mine !== reads) return undefined;
    current.value = found.sessions.find((/** @type {Row} */ { id }) => id === here()) ?? current.value;
    return found;
  } catch (error) {
    if (mine !== reads) return undefined;
    const isKept = !isWithoutJournal(error);
    const search = String(query.search ?? '');
    const rows = isKept && search === list.value.search ? list.value.rows : [];
    list.value = { ...list.value, search, rows, isRead: true, isKept, trouble: isKept ? sentence(error) : '' };
    return undefined;
  }
}

/** Where nobody signs in, the server lists those that this browser can name. @returns {Record<string, string>} */
function named() {
  return isShared ? { ids: [...new Set([here(), ...visited()])].slice(0, PAGE_MAX).join(',') } : {};
}

/** @param {string} id @param {string} title an empty one restores the first question */
export async function rename(id, title) {
  const { title: next } = await postRepeatable('/api/sessions/rename', { title }, { session: id });
  list.value = { ...list.value, rows: list.value.rows.map((row) => (row.id === id ? { ...row, title: next } : row)) };
  if (current.value?.id === id) current.value = { ...current.value, title: next };
}

/** How many turns the server keeps of a conversation; none if it keeps nothing. @param {string} id @returns {Promise<number | undefined>} */
export async function turnsOf(id) {
  const { sessions } = await read('/api/sessions', { ids: id, limit: 1 });
  return sessions[0]?.turns;
}

/** Deletes a conversation for good, here and on the server. @param {string} id */
export async function remove(id) {
  await postRepeatable('/api/sessions/delete', {}, { session: id }).catch((error) => {
    if (!(error instanceof Refusal && error.code === 'unknown_session')) throw error;
  });
  list.value = { ...list.value, rows: list.value.rows.filter((row) => row.id !== id) };
  remember(own(STORED, ''), JSON.stringify(list.value.search ? storedRows().filter((row) => row.id !== id) : list.value.rows.slice(0, PAGE)), 'tab');
  if (isShared) forgetVisit(id);
  for (const what of ['draft', 'pending']) for (const span of SPANS) remember(own(what, nameOf(id)), '', span);
}
/** @type {import('./storage.js').Span[]} */
const SPANS = ['visits', 'tab'];

/** The server's `default` has no name in addresses where users sign in. @param {string} id */
export function nameOf(id) {
  return id === 'default' && !isShared ? '' : id;
}

/** @param {string} id */
export function linkTo(id) {
  return new URL(addressOf(nameOf(id)), location.origin).href;
}

/** Saves a conversation as a file. @param {string} id @param {'md' | 'json'} format */
export async function download(id, format) {
  const text = await readText('/api/sessions/export', { session: id, format });
  const url = URL.createObjectURL(new Blob([text], { type: format === 'md' ? 'text/markdown' : 'application/json' }));
  Object.assign(document.createElement('a'), { href: url, download: `${id}.${format}` }).click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** @param {unknown} error */
export function sentence(error) {
  return error instanceof Error ? error.message : String(error);
}
