// The session as the page knows it: the signals that views read, and the deeds that they call.
//
// Starting reads the history and what is shown beside it, then opens the socket from the history's number: between the two
// nothing can be missed and nothing comes twice. Events are gathered and applied once per painted frame.

import { batch, computed, effect, signal } from './vendor/ui.mjs';
import { post, read, session } from './api.js';
import { login } from './auth.js';
import * as conversation from './conversation.js';
import { remember, remembered } from './storage.js';
import { connect } from './socket.js';

/** @typedef {import('./conversation.js').Turn} Turn */
/** @typedef {import('./contract.js').Control} Control */
/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {{controls: Control[], machines: import('./contract.js').Machine[], uiState: Record<string, unknown>}} Beside */

const HISTORY_MAX = 200;
const TRACES_MAX = 20;
const BANNER_AFTER_MS = 1000;
const RETRY_MS = 2000;

/** @type {import('./vendor/ui.mjs').Signal<Turn[]>} */
export const turns = signal([]);
/** Traces by turn id. @type {import('./vendor/ui.mjs').Signal<Record<string, Trace>>} */
export const traces = signal({});
/** What is shown beside the text, from one moment. @type {import('./vendor/ui.mjs').Signal<Beside>} */
export const beside = signal({ controls: [], machines: [], uiState: {} });
/** What `/health` says of the server. @type {import('./vendor/ui.mjs').Signal<any>} */
export const health = signal({});
/** `connecting` until the first answer, then `open` or `lost`. */
export const connection = signal('connecting');
/** Whether the banner about a lost connection is due. */
export const overdue = signal(false);
/** A sentence for the user that belongs to no turn. */
export const notice = signal('');
/** What a screen reader hears: whole answers, not their pieces. */
export const announcement = signal('');
/** The history has been read. */
export const ready = signal(false);

export const busy = computed(() => turns.value.some(conversation.isLive));

let lastSeq = 0;
let loading = false;
/** @type {any[]} */
let incoming = [];
let flushing = false;
/** @type {ReturnType<typeof connect> | undefined} */
let socket;

export async function start() {
  try {
    await login();
    await load();
  } catch (error) {
    connection.value = 'lost';
    overdue.value = true;
    notice.value = sentence(error);
    setTimeout(start, RETRY_MS);
    return;
  }
  notice.value = '';
  socket = connect({ since: () => lastSeq, onEvent: receive, onChange: connectionChanged });
}

/** Reads everything anew; what the socket brings meanwhile waits until it is there. */
async function load() {
  loading = true;
  try {
    const [history, state, frames, status] = await Promise.all([
      read('/api/history', { last: HISTORY_MAX }),
      read('/api/state'),
      read('/api/frames', { last: TRACES_MAX }),
      read('/health').catch(() => ({})),
    ]);
    batch(() => {
      const pending = [...(ready.value ? [] : pendingBefore()), ...turns.value.filter(conversation.isPending)];
      turns.value = conversation.continued(conversation.remembered(history.messages), pending);
      traces.value = byId(frames.traces);
      health.value = status;
      showBeside(state);
      ready.value = true;
    });
    lastSeq = history.seq ?? 0;
  } finally {
    loading = false;
    flushSoon();
  }
}

// --- what comes over the socket

/** @param {any} event */
function receive(event) {
  incoming.push(event);
  flushSoon();
}

function flushSoon() {
  if (flushing || loading || incoming.length === 0) return;
  flushing = true;
  // A hidden page paints nothing, so it must not wait for the next painted frame.
  if (document.hidden) setTimeout(flush, 50);
  else requestAnimationFrame(flush);
}

function flush() {
  flushing = false;
  if (loading) return;
  batch(() => {
    // One of them may ask for the history to be read again; then those behind it wait.
    while (incoming.length > 0 && !loading) apply(incoming.shift());
  });
}

/** @param {any} event */
function apply(event) {
  if (event.refused) return refuse(event);
  if ('kept_from' in event) return attached(event);
  if (event.seq !== undefined) {
    if (event.seq <= lastSeq) return;
    lastSeq = event.seq;
  }
  turns.value = conversation.after(turns.value, event);
  if (event.type === 'controls') controlsChanged(event.controls);
  if (event.type === 'done') turnEnded(event);
  if (event.type === 'delta') knowQuestion(event.id);
  if (event.type === 'cleared') announcement.value = 'The conversation was cleared.';
}

/** The first word on a fresh socket. A gap, or numbers that begin anew, means that the history must be read again.
 * @param {any} event */
async function attached(event) {
  controlsChanged(event.controls);
  if (event.gap || event.seq < lastSeq) await load().catch((error) => (notice.value = sentence(error)));
  settle();
  for (const turn of turns.value) if (turn.status === 'unsent') deliver(turn.key);
}

/** @param {any} event */
function refuse(event) {
  const { turns: kept, refused } = conversation.refused(turns.value);
  turns.value = kept;
  notice.value = event.error;
  announcement.value = event.error;
  if (refused?.kind === 'message' && refused.question && !draft.value) setDraft(refused.question);
}

/** @param {any} event */
function turnEnded(event) {
  const ended = turns.value.find((turn) => turn.id === event.id);
  announcement.value = event.error ?? (event.cancelled ? 'Stopped.' : (ended?.answer ?? ''));
  readTraces();
  if (beside.value.controls.some((control) => control.key)) readBeside();
}

/** A turn that was begun in another window has no question here yet. @param {string} id */
function knowQuestion(id) {
  const turn = turns.value.find((known) => known.id === id);
  if (!turn || turn.question !== null || asking.has(id)) return;
  asking.add(id);
  quietly(async () => {
    const { messages } = await read('/api/history', { last: 4 });
    const asked = messages.find((/** @type {import('./contract.js').Message} */ message) => message.id === id && message.role === 'user');
    if (asked) turns.value = conversation.explained(turns.value, { id, message: asked.content });
  });
}
/** @type {Set<string>} */
const asking = new Set();

// --- the connection

let bannerTimer = 0;

/** @param {boolean} open @param {string} [reason] */
function connectionChanged(open, reason) {
  clearTimeout(bannerTimer);
  connection.value = open ? 'open' : 'lost';
  if (reason) notice.value = `${reason}. Please log in again.`;
  if (!open) {
    bannerTimer = setTimeout(() => (overdue.value = true), BANNER_AFTER_MS);
    return;
  }
  overdue.value = false;
}

/** After a broken connection: what waited or ran here may never have arrived, or be over. */
function settle() {
  const open = new Set(turns.value.filter(conversation.isLive).map((turn) => turn.key));
  if (open.size === 0) return;
  quietly(async () => {
    const check = await post('/api/send/check');
    if (check.ready) turns.value = conversation.settled(turns.value, open);
  });
}

// --- what stands beside the text

/** @param {Control[]} controls */
function controlsChanged(controls) {
  const needsState = controls.some((control) => control.key || String(control.source ?? '').startsWith('machine:'));
  if (needsState) readBeside();
  else beside.value = { ...beside.value, controls, machines: [] };
}

let besideAsked = 0;

/** Controls, machines and state in one piece, so that they fit together. */
function readBeside() {
  besideAsked += 1;
  const asked = besideAsked;
  quietly(async () => {
    const state = await read('/api/state');
    if (asked === besideAsked) showBeside(state);
  });
}

/** @param {any} state */
function showBeside({ controls, machines, ui_state }) {
  beside.value = { controls: controls ?? [], machines: machines ?? [], uiState: ui_state ?? {} };
}

function readTraces() {
  quietly(async () => {
    const { traces: latest } = await read('/api/frames', { last: 5 });
    batch(() => {
      traces.value = { ...traces.value, ...byId(latest) };
      turns.value = latest.reduce(conversation.explained, turns.value);
    });
  });
}

/** One turn's trace as it is now: the memorizer may have ended since. @param {string} id */
export function readTrace(id) {
  quietly(async () => {
    const turn = await read('/api/turn', { id });
    const trace = turn.trace ?? turn;
    if (trace.frames) traces.value = { ...traces.value, [id]: trace };
  });
}

/** @param {Trace[]} [latest] @returns {Record<string, Trace>} */
function byId(latest = []) {
  return Object.fromEntries(latest.map((trace) => [trace.id, trace]));
}

/** @param {unknown} error */
function sentence(error) {
  return error instanceof Error ? error.message : String(error);
}

/** What fails here only leaves something out, and a lost connection is shown elsewhere. @param {() => Promise<void>} work */
function quietly(work) {
  work().catch(() => {});
}

// --- what the user does

const DRAFT = `draft:${session}`;
export const draft = signal(remembered(DRAFT));

/** @param {string} text */
export function setDraft(text) {
  draft.value = text;
  remember(DRAFT, text);
}

/** @param {string} text */
export function say(text) {
  const question = text.trim();
  if (!question) return;
  begin({ kind: 'message', question, sent: { text: question, dashboard: dashboard() } });
}

/** @param {Control} control */
export function press(control) {
  const { label, action, payload, source } = control;
  begin({ kind: 'action', question: String(label ?? action), sent: { type: 'action', action, data: payload, source } });
}

export function stop() {
  if (busy.value) socket?.send({ type: 'stop' });
}

export async function clear() {
  try {
    await post('/api/clear');
  } catch (error) {
    notice.value = sentence(error);
  }
}

/** Sends again what got lost, or drops it. @param {number} key @param {boolean} again */
export function resolveLost(key, again) {
  if (again) deliver(key);
  else turns.value = turns.value.filter((turn) => turn.key !== key);
}

/** @param {Partial<Turn>} fields */
function begin(fields) {
  notice.value = '';
  turns.value = conversation.begun(turns.value, { ...fields, status: 'unsent' });
  deliver(turns.value[turns.value.length - 1].key);
}

/** @param {number} key */
function deliver(key) {
  const turn = turns.value.find((known) => known.key === key);
  if (!turn?.sent || !socket?.send(turn.sent)) return;
  turns.value = conversation.replaced(turns.value, key, { status: 'waiting', after: conversation.lastNumber(turns.value) });
}

const PENDING = `pending:${session}`;

/** What was written but not begun when the page was left; a button that was pressed then is not pressed again.
 * @returns {Partial<Turn>[]} */
function pendingBefore() {
  const pending = JSON.parse(remembered(PENDING, 'tab') || '[]');
  return pending.filter((/** @type {Turn} */ turn) => turn.kind === 'message');
}

effect(() => {
  const pending = turns.value.filter(conversation.isPending);
  const kept = pending.map(({ kind, question, sent, after, status }) => ({ kind, question, sent, after, status }));
  if (ready.value) remember(PENDING, kept.length > 0 ? JSON.stringify(kept) : '', 'tab');
});

/** What the user sees now, displays with the values that they are bound to. */
function dashboard() {
  const { controls, uiState } = beside.value;
  return controls.map((control) => (control.key && control.key in uiState ? { ...control, value: uiState[control.key] } : control));
}
