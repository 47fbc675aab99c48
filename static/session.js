// The session as the page knows it: the signals that views read, and what the user can do.
//
// Starting reads the history and what is shown beside it, then follows the server's events from the history's number: between
// the two nothing is missed and nothing comes twice. Everything after that is known from the events. They are gathered and
// applied once per painted frame.
//
// Invariant: what is shown is what the server had said up to `lastSeq`.

import { batch, computed, effect, signal } from './vendor/ui.mjs';
import { Refusal, account, enter, newName, parsed, postRepeatable, read, session, token, written } from './api.js';
import { connect } from './connection.js';
import * as conversation from './conversation.js';
import { t } from './i18n.js';
import { face } from './face.js';
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
/** What is left of the user's day; none where nothing bounds it. @type {import('./vendor/ui.mjs').Signal<import('./contract.js').Budget | undefined>} */
export const budget = signal(undefined);
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
/** The name of the graph that the conversation runs on; empty until it is known. */
export const graphName = signal('');
/** The history has been read. */
export const ready = signal(false);
/** Who wants the test reports that an event stream carries. @type {Set<(report: any) => void>} */
export const testReports = new Set();

const isRunning = computed(() => turns.value.some(({ status }) => status === 'running'));
export const busy = computed(() => isRunning.value || turns.value.some(conversation.isPending));

/** Whether the session's graph says itself what becomes of a message while a turn runs: then it is sent at once. */
let isSentAtOnce = false;
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

/** Whether it is known who is here: before that, nothing can be written. */
export const isAdmitted = signal(false);
/** Whether the log-in is shown instead of the conversation. */
const isOut = computed(() => account.value?.sub === '');
/** Whose drafts and unsent messages these are; empty where nobody logs in. */
let owner = '';

export async function start() {
  try {
    // Else the log-in is shown instead; whoever takes it comes back to a page of their own.
    if (!isAdmitted.value && !(await admitted(await read('/auth/config')))) return;
    await load();
  } catch (error) {
    connection.value = 'lost';
    overdue.value = !(error instanceof Refusal);
    notice.value = account.value?.why ? '' : error instanceof Refusal && error.code === 'missing_token' ? t('session.noLogIn') : sentence(error);
    setTimeout(start, waitMs(error));
    return;
  }
  notice.value = '';
  line ??= connect({
    since: () => lastSeq, isBusy: () => isRunning.value, mayOpen, onMessage: receive, onState: stateChanged, probe: () => read('/health'),
  });
}

/** Finds out who is here, and in which conversation. @param {import('./contract.js').AuthConfig} config */
async function admitted(config) {
  const { enabled, issuer } = config;
  if (enabled && issuer && !(await (await import('./sign-in.js')).arrive({ ...config, issuer }))) return false;
  const named = new URLSearchParams(location.search).get('session');
  // A user who is logged in has one that follows them everywhere. Where nobody logs in, all would share it.
  if (!named && !enabled) history.replaceState(null, '', addressOf(newName()) + location.hash);
  enter(new URLSearchParams(location.search).get('session') ?? '', !enabled);
  owner = account.value ? `${account.value.sub}:` : '';
  isAdmitted.value = true;
  setDraft(draft.value || remembered(own('draft')));
  return true;
}

/** Where a conversation is; the user's own one, which every device opens without a name, has none. @param {string} name */
export function addressOf(name) {
  return location.pathname + (name && `?session=${name}`);
}

/** Whether the server would let this page in. */
function mayOpen() {
  return !account.value?.isOver;
}

/** @param {unknown} error */
function waitMs(error) {
  return Math.max(RETRY_MS, error instanceof Refusal ? error.waitMs : 0);
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
      if (lastStarted < conversation.lastNumber(turns.value)) notice.value = t('session.lost');
      const pending = [...(ready.value ? [] : pendingBefore()), ...turns.value.filter(conversation.isPending)];
      turns.value = conversation.continued(conversation.remembered(history.messages, turns.value, frames.traces), pending, frames.traces);
      live.restart(frames.traces, state.processes, state);
      health.value = status;
      graphName.value = frames.graph;
      face.value = state.face;
      beside.value = { controls: state.controls, machines: state.machines, uiState: state.ui_state };
      memory.value = state.memorizer;
      budget.value = state.budget;
      isSentAtOnce = Boolean(state.while_busy);
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
      // A clear or a switch: no event names the graph.
      if (!message.turn) readGraph();
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
    case 'withdrawn':
      // What it had replaced is there again.
      if (message.restored) return reload();
      break;
    case 'frame_trace':
      announcement.value = spoken(message.trace.id);
      if (budget.value) readState();
      break;
    case 'cleared':
      announcement.value = t('session.cleared');
  }
}

/** Reads what no event says: what is left of the budget, and what the graph does with messages that come while a turn runs. */
export async function readState() {
  const state = await read('/api/state').catch(() => undefined);
  if (!state) return;
  budget.value = state.budget;
  face.value = state.face;
  isSentAtOnce = Boolean(state.while_busy);
}

async function readGraph() {
  const frames = await read('/api/frames', { last: 1 }).catch(() => undefined);
  if (frames) graphName.value = frames.graph;
}

/** The server no longer keeps all the events since the last one that was seen. */
async function reload() {
  try {
    await load();
  } catch (error) {
    notice.value = sentence(error);
    await new Promise((resolve) => setTimeout(resolve, waitMs(error)));
  }
  incoming = [];
  line?.restart();
}

/** @param {string} id of a turn that has ended */
function spoken(id) {
  const { status, error, answer } = turns.value.find((turn) => turn.id === id) ?? {};
  return error ?? (status === 'stopped' ? t('session.stopped') : (answer ?? ''));
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

// A newer log-in: sockets take it as a message, an event stream has to begin again, and what was held goes out.
effect(() => {
  if (token.value && mayOpen()) queueMicrotask(resume);
});

function resume() {
  if (connection.value !== 'open') line?.renew();
  outbox.flush();
}

function isConnected() {
  return connection.value === 'open' || connection.value === 'stream';
}

/** @param {unknown} error */
function sentence(error) {
  return error instanceof Error ? error.message : String(error);
}

// --- what the user does

export const draft = signal('');

/** Where something of this user and a conversation is remembered: another who logs in here finds none of it.
 * @param {string} what @param {string} [name] of the conversation; this one without */
export function own(what, name = session) {
  return `${what}:${owner}${name}`;
}

/** @param {string} text */
export function setDraft(text) {
  draft.value = text;
  if (isAdmitted.value && !isOut.value) remember(own('draft'), text);
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

/** Answers what waits for an approval: this starts no turn, so it waits for none. @param {any} button @returns {Promise<boolean>} */
export function decide({ action, source }) {
  notice.value = '';
  return act('/api/action', { id: newName(), action, source });
}

/** Stops the turn that runs; what waits behind it is sent. Where none runs, takes back what waits. */
export async function stop() {
  if (!busy.value) return;
  if (isRunning.value) return act('/api/stop', {});
  turns.value = conversation.withdrawn(turns.value);
  await outbox.settled();
  act('/api/stop', {});
}

/** Has a turn answered again. @param {string} id */
export function retry(id) {
  notice.value = '';
  return act('/api/turn/retry', { id, client_id: newName() });
}

/** Sends another text in the place of a message; one that still waits just changes. Gives whether it was taken.
 * @param {Turn} turn @param {string} text */
export async function edit(turn, text) {
  const question = text.trim();
  notice.value = '';
  if (!conversation.isPending(turn)) {
    return act('/api/turn/edit', { id: turn.id, message: question, dashboard: dashboard(), client_id: newName() });
  }
  turns.value = conversation.held(turns.value, turn.clientId, { question, sent: { ...turn.sent, text: question } });
  return true;
}

/** Takes back a message that waits. @param {Turn} turn */
export function withdraw({ clientId }) {
  turns.value = conversation.held(turns.value, clientId, undefined);
}

/** Stops one call, wherever it belongs. @param {number} pid */
export function cancelCall(pid) {
  act('/api/cancel', { pid });
}

export function clear() {
  return erasing(() => act('/api/clear', {}));
}

/** Does what erases the conversation, and takes what was shown off the screen. @template T @param {() => Promise<T>} act gives something false where it failed */
export async function erasing(act) {
  const before = turns.value;
  const done = await act();
  if (done) turns.value = conversation.erased(turns.value, before);
  return done;
}

/** Goes to a conversation of its own; this one stays at its address. */
export function startOver() {
  location.assign(addressOf(newName()));
}

/** Gives whether the server took it. @param {string} path @param {object} body */
async function act(path, body) {
  try {
    await postRepeatable(path, body);
    return true;
  } catch (error) {
    notice.value = sentence(error);
    return false;
  }
}

/** @param {Partial<Turn>} fields */
function begin(fields) {
  notice.value = '';
  if (turns.value.filter(conversation.isPending).length >= PENDING_MAX) {
    notice.value = t('session.full', { count: PENDING_MAX });
    return false;
  }
  turns.value = conversation.begun(turns.value, { ...fields, clientId: newName(), status: isConnected() ? 'waiting' : 'unsent' });
  outbox.flush();
  return true;
}

const outbox = createOutbox({
  next() {
    const turn = isFollowing && (isSentAtOnce || !isRunning.value) && mayOpen() ? turns.value.find(conversation.isPending) : undefined;
    if (turn) turns.value = conversation.held(turns.value, turn.clientId, { status: 'sent' });
    return turn;
  },
  onAcknowledged(turn, id) {
    if (notice.value === heldBy) notice.value = '';
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
    heldBy = why;
    if (why) notice.value = why;
  },
});

/** Why the server takes a message later. */
let heldBy = '';

/** What was not acknowledged when the page was left. @returns {Partial<Turn>[]} */
function pendingBefore() {
  return parsed(remembered(own('pending'), 'tab') || '[]');
}

effect(() => {
  const pending = turns.value.filter(conversation.isPending);
  const kept = pending.map(({ kind, question, sent, clientId }) => ({ kind, question, sent, clientId, status: 'unsent' }));
  if (ready.value) remember(own('pending'), kept.length > 0 ? written(kept) : '', 'tab');
});

/** How many messages of another conversation this tab has not sent. @param {string} name */
export function unsentIn(name) {
  const pending = remembered(own('pending', name), 'tab');
  return pending ? parsed(pending).filter((/** @type {{isSent?: boolean}} */ { isSent }) => !isSent).length : 0;
}

// A user who logs out leaves nothing behind, here or in storage.
effect(() => {
  if (!isOut.value) return;
  turns.value = [];
  draft.value = '';
});

/** What the user sees now, displays with the values that they are bound to. */
function dashboard() {
  const { controls, uiState } = beside.value;
  const seen = controls.filter(({ type }) => type !== 'approval');
  return seen.map((control) => (control.key && control.key in uiState ? { ...control, value: uiState[control.key] } : control));
}
