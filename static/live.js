// The session's trace events as the panels show them: the turn in progress, what runs behind answers, and finished turns.

import { batch, computed, signal } from './vendor/ui.mjs';
import { numberOf } from './conversation.js';
import { found, nothingShown, shownAfter, shownAt } from './shown.js';
import { after, beginning } from './timeline.js';

/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').Process} Process */

/** As many as the server keeps. */
export const TRACES_MAX = 20;
const CLOCKS_DIFFER_MS = 1000;

const line = signal(beginning);
/** Traces by turn id. @type {import('./vendor/ui.mjs').Signal<Record<string, Trace>>} */
export const traces = signal({});
export const running = computed(() => line.value.running);
/** Calls behind answers that are out. */
export const behind = computed(() => line.value.behind.filter(({ duration_ms: ms }) => ms === undefined));
/** The kept traces, latest first, with what ran behind them. @type {{readonly value: Trace[]}} */
export const finished = computed(() =>
  Object.values(traces.value)
    .map(whole)
    .sort((one, other) => numberOf(other.id) - numberOf(one.id)),
);
/** What each answer shows beside its text. @type {import('./vendor/ui.mjs').Signal<import('./shown.js').Shown>} */
export const shown = signal(nothingShown);
/** The answers that were there before the page: their displays are read when they come into view. @type {Set<string>} */
export let endedBefore = new Set();
/** What went wrong, by turn. */
export const errors = computed(() => line.value.errors);
/** The calls that are out now. @type {{readonly value: Process[]}} */
export const processes = computed(() => {
  const { running: turn } = line.value;
  const calls = turn?.frames.flatMap((frame) => frame.calls).filter(({ duration_ms: ms }) => ms === undefined) ?? [];
  const ofTurn = calls.map(({ pid, kind, label, started_ms: ms }) => ({ pid, kind, label, turn: turn?.id ?? '', started_at: (turn?.started_at ?? 0) + ms }));
  return [...ofTurn, ...behind.value.map(({ pid, kind, label, turn: of, at }) => ({ pid, kind, label, turn: of, started_at: at }))];
});
/** Counts what may have changed the session's graph: a clear or a switch, also a missed one. */
export const renewals = signal(0);
/** Counts what may have changed the tables that the session has read about. */
export const descriptions = signal(0);

/** The server's clock now, in milliseconds since the epoch. */
export function serverNow() {
  return Date.now() - clockAhead;
}
/** How far this machine's clock is ahead of the server's. The event that came fastest shows it best. */
let clockAhead = 0;
let isClockKnown = false;

/** Starts over from what was read. @param {Trace[]} ended @param {Process[]} out
 * @param {{controls: import('./contract.js').Control[], machines: import('./contract.js').Machine[]}} [screen] */
export function restart(ended, out, { controls, machines } = nothingShown) {
  shown.value = shownAt(controls, machines, ended);
  endedBefore = new Set(ended.filter(({ status, path }) => status === 'done' && !path.startsWith('machine')).map(({ id }) => id));
  endedBefore.delete(shown.value.owner);
  traces.value = Object.fromEntries(ended.map((trace) => [trace.id, trace]));
  // Those of the turn in progress come as events.
  const isBehind = (/** @type {Process} */ { turn }) => turn in traces.value;
  const calls = out.filter(isBehind).map(({ started_at: at, ...call }) => ({ ...call, node: call.label, at, started_ms: 0, status: 'running' }));
  line.value = { ...beginning, behind: calls };
  renewals.value += 1;
  descriptions.value += 1;
}

/** @param {any} event */
export function take(event) {
  const late = Date.now() - event.at;
  // A little is what the network takes; much is another clock.
  if (!isClockKnown && late > CLOCKS_DIFFER_MS) clockAhead = late;
  isClockKnown = true;
  clockAhead = Math.min(clockAhead, late);
  batch(() => {
    line.value = after(line.value, event);
    shown.value = shownAfter(shown.value, event);
    const [trace] = line.value.finished;
    if (trace) traces.value = Object.fromEntries([...Object.entries(traces.value), [trace.id, trace]].slice(-TRACES_MAX));
    if (trace?.frames.some(({ calls }) => calls.some(({ label }) => label.startsWith('describe ')))) descriptions.value += 1;
    if (event.event === 'controls' && !event.turn) renewals.value += 1;
  });
}

/** What a turn from before had shown. @param {string} id @param {import('./contract.js').Control[]} displays */
export function foundShown(id, displays) {
  endedBefore.delete(id);
  shown.value = found(shown.value, id, displays);
}

/** A trace that was written before a call behind it ended knows nothing of that call. @param {Trace} trace @returns {Trace} */
function whole(trace) {
  const told = trace.background ?? [];
  const untold = line.value.behind.flatMap(({ turn, at, node: _, duration_ms: ms, ...call }) =>
    ms === undefined || turn !== trace.id || told.some(({ pid }) => pid === call.pid)
      ? []
      : [{ ...call, duration_ms: ms, started_ms: at - trace.started_at }],
  );
  return untold.length > 0 ? { ...trace, background: [...told, ...untold] } : trace;
}
