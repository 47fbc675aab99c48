// The session's graph and all that it could run on, and the switch from one to another. The chat's socket stays as it is.

import { signal } from './vendor/ui.mjs';
import { post, read } from './api.js';

/** @typedef {import('./contract.js').Graph} Graph */
/** @typedef {import('./contract.js').GraphEntry} GraphEntry */

/** Another window or a suite may switch without this page being told. */
const LOOK_MS = 4000;
const SOON_MS = 250;

/** @type {import('./vendor/ui.mjs').Signal<Graph | undefined>} */
export const graph = signal(undefined);
/** @type {import('./vendor/ui.mjs').Signal<GraphEntry[]>} */
export const graphs = signal([]);
/** Why the graph can't be shown; empty while it can. */
export const trouble = signal('');

let timer = 0;
let lookers = 0;

/** Looks for as long as somebody watches; gives what ends it. */
export function watchGraph() {
  lookers += 1;
  look();
  readGraphs();
  return () => {
    lookers -= 1;
    if (lookers === 0) clearTimeout(timer);
  };
}

/** Something happened that may have been a switch. */
export function lookSoon() {
  if (lookers > 0) lookIn(SOON_MS);
}

/** @param {number} milliseconds */
function lookIn(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(look, milliseconds);
}

async function look() {
  try {
    const active = await read('/api/graph/active');
    trouble.value = '';
    // Graphs are read when the server starts: one of the same name is the same.
    if (active.name !== graph.value?.name) graph.value = active;
  } catch (error) {
    trouble.value = error instanceof Error ? error.message : String(error);
  }
  if (lookers > 0) lookIn(LOOK_MS);
}

function readGraphs() {
  read('/api/graph/list').then(
    (all) => (graphs.value = all.graphs),
    () => {}, // The active one is shown all the same, and says what is wrong.
  );
}

/** @param {string} name @param {boolean} keep the conversation @returns {Promise<string>} what the server says of it */
export async function switchTo(name, keep) {
  const { note } = await post('/api/graph/switch', { name, keep });
  await look();
  return note;
}
