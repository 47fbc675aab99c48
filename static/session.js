// The session as the page knows it: the signals that views read, and the deeds that they call.
//
// Starting reads the history and what is shown beside it, then opens the socket from the history's number: between the two
// nothing can be missed and nothing comes twice. Events are gathered and applied once per painted frame.
//
// Invariant: what is shown is what the server had said up to `lastSeq`. Where no socket can be had the rest is asked for: then
// `lastSeq` is the history's number, and what runs beyond it (`isAhead`) is told again when a socket goes on from there.

import { batch, computed, effect, signal } from './vendor/ui.mjs';
import { Refusal, check, post, read, session } from './api.js';
import { login } from './auth.js';
import { catchingUp } from './catchup.js';
import { connect } from './connection.js';
import * as conversation from './conversation.js';
import { remember, remembered } from './storage.js';

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
/** `connecting` until the first answer, then `open` for a socket, `stream` or `poll` for the slower ways, or `lost`. */
export const connection = signal('connecting');
/** Whether the banner about a lost or slower connection is due. */
export const overdue = signal(false);
/** A sentence for the user that belongs to no turn. */
export const notice = signal('');
/** What a screen reader hears: whole answers, not their pieces. */
export const announcement = signal('');
/** The history has been read. */
export const ready = signal(false);

export const busy = computed(() => turns.value.some(conversation.isLive));

let lastSeq = 0;
let isAhead = false;
/** How often everything is being read right now; events wait meanwhile. */
let loads = 0;
/** How many sockets there have been. */
let sockets = 0;
/** @type {any[]} */
let incoming = [];
let flushing = false;
/** @type {ReturnType<typeof connect> | undefined} */
let line;

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
  line ??= connect({
    since: () => lastSeq,
    isBusy: () => busy.value,
    onEvent: receive,
    onWay: wayChanged,
    catchUp: catchingUp({ isWanted, isOutdated: () => !isAhead, reload, report }),
  });
}

/** Reads everything anew; what a socket brings meanwhile waits until it is there. */
async function load() {
  loads += 1;
  try {
    const [history, state, frames, status] = await Promise.all([
      read('/api/history', { last: HISTORY_MAX }),
      read('/api/state'),
      read('/api/frames', { last: TRACES_MAX }),
      read('/health').catch(() => ({})),
    ]);
    batch(() => {
      const latest = conversation.lastNumber([...history.messages, ...frames.traces]);
      if (latest < conversation.lastNumber(turns.value)) notice.value = 'The server has begun anew: the conversation before is gone.';
      const kept = [...(ready.value ? [] : pendingBefore()), ...turns.value.filter(conversation.isKept)];
      turns.value = conversation.continued(conversation.remembered(history.messages, turns.value, frames.traces), kept);
      traces.value = byId(frames.traces);
      health.value = status;
      showBeside(state);
      ready.value = true;
    });
    lastSeq = history.seq ?? 0;
  } finally {
    loads -= 1;
    flushSoon();
  }
}

// --- what comes over the socket

/** @param {any} event @param {number} since the number that its socket was opened from */
function receive(event, since) {
  incoming.push('kept_from' in event ? { ...event, since } : event);
  flushSoon();
}

function flushSoon() {
  if (flushing || loads > 0 || incoming.length === 0) return;
  flushing = true;
  // A hidden page paints nothing, so it must not wait for the next painted frame.
  if (document.hidden) setTimeout(flush, 50);
  else requestAnimationFrame(flush);
}

function flush() {
  flushing = false;
  if (loads > 0) return;
  batch(() => {
    // One of them may ask for the history to be read again; then those behind it wait.
    while (incoming.length > 0 && loads === 0) apply(incoming.shift());
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
  sockets += 1;
  if (isAhead) turns.value = conversation.restarted(turns.value);
  isAhead = false;
  controlsChanged(event.controls);
  if (event.seq < event.since) return beginAnew();
  // Everything was read anew while it was being opened: it would leave out what lies between.
  if (lastSeq < event.since) return goOnFromHere();
  if (event.gap) await load().catch((error) => (notice.value = sentence(error)));
  settle();
  // What was asked for beside the text may have been lost with the socket before.
  if (sockets > 1) readTraces();
  for (const turn of turns.value) if (turn.status === 'unsent') deliver(turn.key);
}

/** The server's numbers are smaller than ours: it has forgotten, and so do we. */
async function beginAnew() {
  line?.leave();
  incoming = [];
  await load().catch((error) => (notice.value = sentence(error)));
  line?.hurry();
}

function goOnFromHere() {
  line?.leave();
  incoming = [];
  line?.hurry();
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
  if (turns.value.some(isDoubtful)) settle();
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

/** @param {import('./connection.js').Way} way @param {string} reason */
function wayChanged(way, reason) {
  if (reason) notice.value = `${reason}. Please log in again.`;
  const before = connection.value;
  connection.value = way === 'socket' ? 'open' : way;
  if (connection.value === before) return;
  if (before === 'open') {
    // What has come is shown now; what comes no more will be told again from there.
    flush();
    incoming = [];
  }
  clearTimeout(bannerTimer);
  if (way === 'socket' || before === 'lost' || way === 'lost') overdue.value = false;
  if (way !== 'socket') bannerTimer = setTimeout(() => (overdue.value = true), BANNER_AFTER_MS);
}

/** After a broken connection: what ran here may be over, and what was sent may never have arrived. */
function settle() {
  const open = new Set(turns.value.filter((turn) => turn.status === 'running' || isDoubtful(turn)).map((turn) => turn.key));
  if (open.size === 0) return;
  quietly(async () => {
    const { ready } = await check('/api/send/check');
    if (ready) turns.value = conversation.settled(turns.value, open);
  });
}

/** Sent over a connection that is no more. @param {Turn} turn */
function isDoubtful(turn) {
  return turn.status === 'waiting' && turn.socket !== sockets;
}

// --- without a socket

function isWanted() {
  return line?.isSlower() ?? false;
}

async function reload() {
  await load();
  isAhead = true;
}

/** @param {any} result of the session's last turn @param {boolean} isNews */
function report(result, isNews) {
  const was = turns.value.find((turn) => turn.id === result.id);
  turns.value = conversation.reported(turns.value, result);
  if (isNews && result.status === 'done') announcement.value = result.response;
  if (isNews && result.status === 'error') announcement.value = result.detail;
  if (result.status !== 'running' && (was || turns.value.some(isDoubtful))) settle();
  postNext();
}

let posting = false;

/** Sends what waits, one by one: over HTTP a message is only taken when nothing runs. */
async function postNext() {
  const turn = turns.value.find(({ status }) => status === 'unsent');
  if (!turn || posting || busy.value) return;
  if (turn.kind === 'action') {
    turns.value = turns.value.filter(({ key }) => key !== turn.key);
    needsSocket('A button');
    return;
  }
  posting = true;
  mark(turn.key, { status: 'waiting', after: conversation.lastNumber(turns.value), socket: sockets });
  try {
    const { id } = await post('/api/send', turn.sent);
    mark(turn.key, { status: 'running', id });
  } catch (error) {
    if (!(error instanceof Refusal)) mark(turn.key, { socket: -1 });
    else if (error.status === 409 || error.status >= 500) mark(turn.key, { status: 'unsent' });
    else refuse({ error: error.message });
  } finally {
    posting = false;
  }
  line?.ask();
}

/** @param {string} what */
function needsSocket(what) {
  notice.value = `${what} needs the direct connection, which can't be had right now. It is being tried again; please repeat this in a moment.`;
  line?.hurry();
}

/** @param {number} key @param {Partial<Turn>} fields of a turn that is still waiting */
function mark(key, fields) {
  const turn = turns.value.find((known) => known.key === key);
  if (turn && conversation.isPending(turn) && !turn.id) turns.value = conversation.replaced(turns.value, key, fields);
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
      traces.value = { ...traces.value, ...byId(latest.filter(isNewer)) };
      turns.value = latest.reduce(conversation.explained, turns.value);
    });
  });
}

/** What runs behind an answer may have been heard of since this was asked for. @param {Trace} trace */
function isNewer({ id, background = [] }) {
  return background.length >= (traces.value[id]?.background?.length ?? 0);
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
  if (line?.isSlower()) return needsSocket('A button');
  const { label, action, payload, source } = control;
  begin({ kind: 'action', question: String(label ?? action), sent: { type: 'action', action, data: payload, source } });
}

export function stop() {
  if (busy.value && !line?.send({ type: 'stop' })) needsSocket('Stopping');
}

/** Stops one call, wherever it belongs. @param {number} pid */
export function cancelCall(pid) {
  if (!line?.send({ type: 'cancel_process', pid })) needsSocket('Cancelling');
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
  if (again) {
    turns.value = conversation.replaced(turns.value, key, { status: 'unsent' });
    deliver(key);
  } else turns.value = turns.value.filter((turn) => turn.key !== key);
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
  if (!turn?.sent) return;
  if (line?.isSlower()) {
    // Where nothing answers it waits here, so that nobody has to wonder whether it arrived.
    if (connection.value !== 'lost') postNext();
  } else if (line?.send(turn.sent)) {
    const sent = { status: /** @type {const} */ ('waiting'), after: conversation.lastNumber(turns.value), socket: sockets };
    turns.value = conversation.replaced(turns.value, key, sent);
  }
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
