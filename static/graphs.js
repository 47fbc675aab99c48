// The session's graph and all that it could run on, and the switch from one to another.

import { signal } from './vendor/ui.mjs';
import { post, read } from './api.js';
import { erasing, readState } from './session.js';

/** @typedef {import('./contract.js').Graph} Graph */
/** @typedef {import('./contract.js').GraphEntry} GraphEntry */

const RETRY_MS = 4000;

/** @type {import('./vendor/ui.mjs').Signal<Graph | undefined>} */
export const graph = signal(undefined);
/** @type {import('./vendor/ui.mjs').Signal<GraphEntry[]>} */
export const graphs = signal([]);
/** Why the graph can't be shown; empty while it can. */
export const trouble = signal('');

/** Reads the active graph, and again after a failure; gives what ends that. */
export function readActive() {
  let timer = 0;
  let isOver = false;
  async function attempt() {
    if (!(await look()) && !isOver) timer = setTimeout(attempt, RETRY_MS);
  }
  attempt();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** Gives whether it could be read. */
async function look() {
  try {
    const active = await read('/api/graph/active');
    trouble.value = '';
    // Graphs are read when the server starts: one of the same name is the same.
    if (active.name !== graph.value?.name) graph.value = active;
    return true;
  } catch (error) {
    trouble.value = error instanceof Error ? error.message : String(error);
    return false;
  }
}

export function readGraphs() {
  read('/api/graph/list').then(
    (all) => (graphs.value = all.graphs),
    () => {}, // The active one is shown all the same, and says what is wrong.
  );
}

/** @param {string} name @param {boolean} keep the conversation @returns {Promise<string>} the server's note */
export async function switchTo(name, keep) {
  const change = () => post('/api/graph/switch', { name, keep });
  const { note } = await (keep ? change() : erasing(change));
  await Promise.all([look(), readState()]);
  return note;
}
