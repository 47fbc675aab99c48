// Conversations that the user has deleted and may still take back: each is deleted on the server when its time is over.
//
// They are kept as long as this tab lives, so that a reload or another conversation goes on with them. If the tab is closed
// before, nothing is deleted: then the conversation is in the list again. The same goes for one that has grown meanwhile.
//
// Invariant: nothing is deleted before its time is over.

import { effect, signal } from './vendor/ui.mjs';
import { newName, parsed } from './api.js';
import { isPending } from './conversation.js';
import { t } from './i18n.js';
import { nameOf, remove, sentence, turnsOf } from './kept.js';
import { isFinal } from './outbox.js';
import { addressOf, notice, own, turns } from './session.js';
import { remember, remembered } from './storage.js';
import { here } from './title.js';

/** `turns`: as many as it had; `dueAt`: by this machine's clock. @typedef {{title: string, turns: number, dueAt: number}} Deletion */

export const UNDO_MS = 10_000;
const STORED = 'deleting';
const RETRY_MS = 4000;

/** By conversation. @type {import('./vendor/ui.mjs').Signal<Record<string, Deletion>>} */
export const deletions = signal(stored());

/** @returns {Record<string, Deletion>} */
function stored() {
  try {
    return parsed(remembered(own(STORED, ''), 'tab') || '{}') ?? {};
  } catch {
    return {};
  }
}

/** @param {{id: string, title: string, turns: number}} row */
export function removeLater({ id, title, turns: count }) {
  deletions.value = { ...deletions.value, [id]: { title, turns: count, dueAt: Date.now() + UNDO_MS } };
}

/** @param {string} id */
export function undo(id) {
  const { [id]: _, ...others } = deletions.value;
  deletions.value = others;
}

let timer = 0;
let isAtWork = false;

effect(() => {
  const all = Object.values(deletions.value);
  remember(own(STORED, ''), all.length > 0 ? JSON.stringify(deletions.value) : '', 'tab');
  clearTimeout(timer);
  if (all.length > 0) timer = setTimeout(work, Math.max(0, Math.min(...all.map(({ dueAt }) => dueAt)) - Date.now()));
});

// Who goes on writing in it wants it.
effect(() => {
  const isUsed = turns.value.some((turn) => isPending(turn) || turn.status === 'running');
  if (isUsed && here() in deletions.value) undo(here());
});

/** Deletes those whose time is over, one after the other. */
async function work() {
  if (isAtWork) return;
  isAtWork = true;
  const due = Object.entries(deletions.peek()).filter(([, { dueAt }]) => dueAt <= Date.now());
  for (const [id, deletion] of due) if (deletions.peek()[id] === deletion) await end(id, deletion);
  isAtWork = false;
  // Others may have become due.
  deletions.value = { ...deletions.value };
}

/** @param {string} id @param {Deletion} deletion */
async function end(id, deletion) {
  try {
    const now = await turnsOf(id);
    if (now !== undefined && now > deletion.turns) {
      notice.value = t('list.grown', { title: deletion.title });
      return undo(id);
    }
    if (deletions.peek()[id] !== deletion) return;
    await remove(id);
  } catch (error) {
    notice.value = t('list.undeleted', { title: deletion.title, why: sentence(error) });
    if (isFinal(error)) return undo(id);
    if (deletions.peek()[id] === deletion) deletions.value = { ...deletions.value, [id]: { ...deletion, dueAt: Date.now() + RETRY_MS } };
    return;
  }
  undo(id);
  // What is shown is no more, and its address leads nowhere.
  if (id === here()) location.replace(addressOf(nameOf(id) && newName()));
}
