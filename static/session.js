// The session as the page knows it: the signals that views read, and what the user can do.
//
// Starting reads the history and what is shown beside it, then follows the server's events from the history's number: between
// the two nothing is missed and nothing comes twice. Everything after that is known from the events. They are gathered and
// applied once per painted frame.
//
// Invariant: what is shown is what the server had said up to `lastSeq`.

import { batch, computed, effect, signal } from './vendor/ui.mjs';
import { Refusal, login, parsed, postRepeatable, read, session, written } from './api.js';
import { connect } from './connection.js';
import * as conversation from './conversation.js';
import * as live from './live.js';
import { createOutbox } from './outbox.js';
import { remember, remembered } from './storage.js';

/** @typedef {import('./conversation.js').Turn} Turn */
/** @typedef {import('./contract.js').Control} Control */
/** @typedef {{controls: Control[], machines: import('./contract.js').Machine[], uiState: Record<string, unknown>}} Beside */

const HISTORY_MAX = 200;
const PENDING_MAX = 8;
const BANNER_AFTER_MS = 1000;
const RETRY_MS = 2000;
const HIDDEN_MS = 50;

/** @type {import('./vendor/ui.mjs').Signal<Turn[]>} */
export const turns = signal([]);
/** What is shown beside the text, from one moment. @type {import('./vendor/ui.mjs').Signal<Beside>} */
export const beside = signal({ controls: [], machines: [], uiState: {} });
/** @type {import('./vendor/ui.mjs').Signal<import('./contract.js').Memory>} */
export const memory = signal({});
/** What `/health` says of the server. @type {import('./vendor/ui.mjs').Signal<any>} */
export const health = signal({});
/** @type {import('./vendor/ui.mjs').Signal<'connecting' | import('./connection.js').State>} */
export const connection = signal('connecting');
/** Whether the banner about a lost connection is due. */
export const overdue = signal(false);
/** A sentence for the user that belongs to no turn. */
export const notice = signal('');
/** What a screen reader hears: whole answers, not their pieces. */
export const announcement = signal('');
/** The history has been read. */
export const ready = signal(false);
/** Who wants the test reports that an event stream carries. @type {Set<(report: any) => void>} */
export const testReports = new Set();

const isRunning = computed(() => turns.value.some(({ status }) => status === 'running'));
export const busy = computed(() => isRunning.value || turns.value.some(conversation.isPending));

let lastSeq = 0;
/** The number of the last turn that is known to have started. */
let lastStarted = 0;
/** Whether the events go on from the last one seen: nothing is sent before that is known. */
let isFollowing = false;
/** How often everything is being read right now; events wait meanwhile. */
let loads = 0;
/** @type {any[]} */
let incoming = [];
let isFlushing = false;
/** @type {ReturnType<typeof connect> | undefined} */
let line;

export async function start() {
  try {
    login(await read('/auth/config'));
    await load();
  } catch (error) {
    connection.value = 'lost';
    overdue.value = !(error instanceof Refusal);
    notice.value = sentence(error);
    setTimeout(start, RETRY_MS);
    return;
  }
  notice.value = '';
  line ??= connect({ since: () => lastSeq, isBusy: () => isRunning.value, onMessage: receive, onState: stateChanged, probe: () => read('/health') });
}

/** Reads everything; events that come meanwhile wait. */
async function load() {
  loads += 1;
  try {
    const [history, state, frames, status] = await Promise.all([
      read('/api/history', { last: HISTORY_MAX }),
      read('/api/state'),
      read('/api/frames', { last: live.TRACES_MAX }),
      read('/health').catch(() => ({})),
    ]);
    batch(() => {
      lastSeq = history.seq;
      lastStarted = conversation.lastNumber([...history.messages, ...frames.traces]);
      if (lastStarted < conversation.lastNumber(turns.value)) notice.value = 'The server restarted and the previous conversation was lost.';
      const pending = [...(ready.value ? [] : pendingBefore()), ...turns.value.filter(conversation.isPending)];
      turns.value = conversation.continued(conversation.remembered(history.messages, turns.value, frames.traces), pending, frames.traces);
      live.restart(frames.traces, state.processes);
      health.value = status;
      beside.value = { controls: state.controls, machines: state.machines, uiState: state.ui_state };
      memory.value = state.memorizer;
      ready.value = true;
    });
  } finally {
    loads -= 1;
    flushSoon();
  }
}

// --- what the server says

/** @param {any} message */
function receive(message) {
  incoming.push(message);
  flushSoon();
}

function flushSoon() {
  if (isFlushing || loads > 0 || incoming.length === 0) return;
  isFlushing = true;
  // A hidden page paints nothing, so it must not wait for the next painted frame.
  if (document.hidden) setTimeout(flush, HIDDEN_MS);
  else requestAnimationFrame(flush);
}

function flush() {
  isFlushing = false;
  batch(() => {
    // One of them may ask for the history to be read again; then those behind it wait.
    while (incoming.length > 0 && loads === 0) apply(incoming.shift());
  });
  outbox.flush();
}

/** @param {any} message */
function apply(message) {
  if (message.type === 'attached') {
    isFollowing = !message.gap;
    return message.gap && reload();
  }
  if (message.type === 'test_status') testReports.forEach((take) => take(message));
  if (!(message.seq > lastSeq)) return;
  lastSeq = message.seq;
  lastStarted = Math.max(lastStarted, conversation.numberOf(message.turn));
  turns.value = conversation.after(turns.value, message);
  live.take(message);
  switch (message.event) {
    case 'controls':
      beside.value = { ...beside.value, controls: message.controls };
      break;
    case 'machines':
      beside.value = { ...beside.value, machines: message.machines };
      break;
    case 'state':
      beside.value = { ...beside.value, uiState: message.ui_state };
      break;
    case 'memory':
      memory.value = message.memory;
      break;
    case 'frame_trace':
      announcement.value = spoken(message.trace.id);
      break;
    case 'cleared':
      announcement.value = 'The conversation was cleared.';
  }
}

/** The server no longer keeps all the events since the last one that was seen. */
async function reload() {
  try {
    await load();
  } catch (error) {
    notice.value = sentence(error);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  incoming = [];
  line?.restart();
}

/** @param {string} id of a turn that has ended */
function spoken(id) {
  const { status, error, answer } = turns.value.find((turn) => turn.id === id) ?? {};
  return error ?? (status === 'stopped' ? 'Stopped.' : (answer ?? ''));
}

let bannerTimer = 0;

/** @param {import('./connection.js').State} state @param {string} reason */
function stateChanged(state, reason) {
  if (reason) notice.value = reason;
  const before = connection.value;
  connection.value = state;
  if (state === before) return;
  turns.value = conversation.pendingWhile(turns.value, isConnected());
  isFollowing &&= isConnected();
  clearTimeout(bannerTimer);
  if (isConnected()) overdue.value = false;
  else bannerTimer = setTimeout(() => (overdue.value = true), BANNER_AFTER_MS);
}

function isConnected() {
  return connection.value === 'open' || connection.value === 'stream';
}

/** @param {unknown} error */
function sentence(error) {
  return error instanceof Error ? error.message : String(error);
}

// --- what the user does

const DRAFT = `draft:${session}`;
export const draft = signal(remembered(DRAFT));

/** @param {string} text */
export function setDraft(text) {
  draft.value = text;
  remember(DRAFT, text);
}

/** Whether it was taken. @param {string} text */
export function say(text) {
  const question = text.trim();
  return Boolean(question) && begin({ kind: 'message', question, sent: { text: question, dashboard: dashboard() } });
}

/** @param {Control} control */
export function press(control) {
  const { label, action, payload, source } = control;
  begin({ kind: 'action', question: String(label ?? action), sent: { action, data: payload, source } });
}

/** Stops the turn that runs, and sends nothing of what waits behind it. */
export async function stop() {
  if (!busy.value) return;
  turns.value = conversation.withdrawn(turns.value);
  await outbox.settled();
  act('/api/stop', {});
}

/** Stops one call, wherever it belongs. @param {number} pid */
export function cancelCall(pid) {
  act('/api/cancel', { pid });
}

export function clear() {
  act('/api/clear', {});
}

/** @param {string} path @param {object} body */
async function act(path, body) {
  try {
    await postRepeatable(path, body);
  } catch (error) {
    notice.value = sentence(error);
  }
}

/** @param {Partial<Turn>} fields */
function begin(fields) {
  notice.value = '';
  if (turns.value.filter(conversation.isPending).length >= PENDING_MAX) {
    notice.value = `${PENDING_MAX} messages are waiting already: wait for an answer, or stop them.`;
    return false;
  }
  turns.value = conversation.begun(turns.value, { ...fields, clientId: newId(), status: isConnected() ? 'waiting' : 'unsent' });
  outbox.flush();
  return true;
}

/** 96 random bits: `crypto.randomUUID` exists only over HTTPS. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const outbox = createOutbox({
  next() {
    const turn = isFollowing && !isRunning.value ? turns.value.find(conversation.isPending) : undefined;
    if (turn) turns.value = conversation.held(turns.value, turn.clientId, { status: 'sent' });
    return turn;
  },
  onAcknowledged(turn, id) {
    turns.value = conversation.acknowledged(turns.value, turn.clientId, id, lastStarted);
  },
  onRefused({ clientId, kind, question }, why) {
    turns.value = conversation.held(turns.value, clientId, undefined);
    notice.value = why;
    announcement.value = why;
    if (kind === 'message' && question && !draft.value) setDraft(question);
  },
  onHeld({ clientId }, isBusy, why) {
    turns.value = conversation.held(turns.value, clientId, { status: isBusy ? 'waiting' : 'unsent' });
    if (why) notice.value = why;
  },
});

const PENDING = `pending:${session}`;

/** What was not acknowledged when the page was left. @returns {Partial<Turn>[]} */
function pendingBefore() {
  return parsed(remembered(PENDING, 'tab') || '[]');
}

effect(() => {
  const pending = turns.value.filter(conversation.isPending);
  const kept = pending.map(({ kind, question, sent, clientId }) => ({ kind, question, sent, clientId, status: 'unsent' }));
  if (ready.value) remember(PENDING, kept.length > 0 ? written(kept) : '', 'tab');
});

/** What the user sees now, displays with the values that they are bound to. */
function dashboard() {
  const { controls, uiState } = beside.value;
  return controls.map((control) => (control.key && control.key in uiState ? { ...control, value: uiState[control.key] } : control));
}
