// The session's trace events, live, for as long as a panel looks: the turn in progress, and the finished ones.
//
// Who looks calls `watch` and reads the signals. The first one opens the feed and the last one's leaving closes it, so that a
// page without an open panel asks for nothing.

import { batch, computed, effect, signal } from './vendor/ui.mjs';
import { read } from './api.js';
import { openFeed } from './feed.js';
import { traces, turns } from './session.js';
import { after, beginning } from './timeline.js';

/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').LiveTurn} LiveTurn */

const LINES = 60;
const LINES_MAX = 500;
const LAST_TRACES = 5;
const CLOCKS_DIFFER_MS = 1000;
/** Another panel may look a moment later. */
const LEAVE_MS = 1000;

/** @type {import('./vendor/ui.mjs').Signal<LiveTurn | null>} */
export const running = signal(null);
/** Calls behind answers, also those that have ended. @type {import('./vendor/ui.mjs').Signal<import('./timeline.js').CallBehind[]>} */
const allBehind = signal([]);
/** Those that are out. */
export const behind = computed(() => allBehind.value.filter(({ duration_ms: ms }) => ms === undefined));
/** The kept traces, latest first, with what ran behind them. @type {{readonly value: Trace[]}} */
export const finished = computed(() =>
  Object.values(traces.value)
    .map(whole)
    .sort((one, other) => numberOf(other.id) - numberOf(one.id)),
);
/** What went wrong, by turn. @type {import('./vendor/ui.mjs').Signal<Record<string, string>>} */
export const errors = signal({});
/** Counts up with what may have changed the session's state. */
export const changes = signal(0);
/** How the events come: see feed.js. @type {import('./vendor/ui.mjs').Signal<import('./feed.js').FeedWay>} */
export const way = signal('connecting');

let line = beginning;
let watchers = 0;
/** @type {(() => void) | undefined} */
let leave;

/** Looks, until what it gives is called. */
export function watch() {
  watchers += 1;
  leave ??= begin();
  return () => {
    watchers -= 1;
    setTimeout(() => {
      if (watchers > 0) return;
      leave?.();
      leave = undefined;
    }, LEAVE_MS);
  };
}

/** The server's clock now, in milliseconds since the epoch. */
export function serverNow() {
  return Date.now() - clockAhead;
}
/** How far this machine's clock is ahead of the server's. The event that came fastest shows it best. */
let clockAhead = 0;
let isClockKnown = false;

function begin() {
  let mark = '';
  let anewAt = 0;
  let length = 0;

  async function poll() {
    const known = line;
    const result = await read('/api/result');
    if (result.status === 'idle' && known === line && line.seq > anewAt) {
      anewAt = line.seq;
      beginAnew();
    }
    // Each piece of an answer is an event too, though the lines that are asked for have them all in one.
    const hasGrown = (result.partial ?? '').length > length;
    length = (result.partial ?? '').length;
    const said = `${result.status} ${result.id} ${result.stage} ${result.event}`;
    const isQuiet = result.status !== 'running' && said === mark && !running.value && behind.value.length === 0;
    mark = said;
    if (isQuiet) return false;
    const isNews = await catchUp(result);
    return isNews || hasGrown;
  }

  const feed = openFeed('/ws/trace', {
    poll,
    onMessage(event) {
      const late = Date.now() - event.at;
      // A little is what the way takes; much is another clock.
      if (!isClockKnown && late > CLOCKS_DIFFER_MS) clockAhead = late;
      isClockKnown = true;
      take([event]);
    },
  });
  // The chat hears of a turn's beginning and end by another way: then the feed should have heard of it too.
  const stops = [effect(() => void (way.value = feed.way.value)), effect(() => (turns.value.at(-1)?.status, feed.hint()))];
  return () => {
    stops.forEach((stop) => stop());
    feed.close();
    line = beginning;
    running.value = null;
    allBehind.value = [];
    way.value = 'connecting';
  };
}

/** Takes in what the socket did not bring. @param {{status: string, id: string}} result of the last turn */
async function catchUp(result) {
  let { lines } = await read('/api/trace', { last: LINES });
  const isHole = line === beginning ? lines[0]?.turn === result.id : lines[0]?.seq > line.seq;
  if (isHole && lines.length === LINES) ({ lines } = await read('/api/trace', { last: LINES_MAX }));
  const isNews = take(lines);
  const open = running.value;
  if (open && (result.status !== 'running' || result.id !== open.id)) await forget(open.id);
  return isNews;
}

/** The session knows of no turn any more, as after a restart of its server: what ran has no end that could still be told. */
function beginAnew() {
  line = { ...beginning, seq: line.seq };
  batch(() => {
    running.value = null;
    allBehind.value = [];
    errors.value = {};
    changes.value += 1;
  });
}

/** A turn that nobody saw the end of. @param {string} id */
async function forget(id) {
  const { traces: latest } = await read('/api/frames', { last: LAST_TRACES });
  keep(latest);
  if (running.value?.id === id && latest.some((/** @type {Trace} */ trace) => trace.id === id)) {
    line = { ...line, running: null };
    running.value = null;
  }
}

/** @param {any[]} events @returns {boolean} whether any was new */
function take(events) {
  const before = line;
  batch(() => {
    let isNews = false;
    for (const event of events) {
      const next = after(line, event);
      if (next === line) continue;
      line = next;
      keep(line.finished);
      isNews ||= event.event !== 'streaming';
      clockAhead = Math.min(clockAhead, Date.now() - event.at);
    }
    running.value = line.running;
    allBehind.value = line.behind;
    errors.value = line.errors;
    if (isNews) changes.value += 1;
  });
  return line !== before;
}

/** @param {Trace[]} ended */
function keep(ended) {
  if (ended.length > 0) traces.value = { ...traces.value, ...Object.fromEntries(ended.map((trace) => [trace.id, trace])) };
}

/** A trace that was read before a call behind it ended knows nothing of that call. @param {Trace} trace @returns {Trace} */
function whole(trace) {
  const told = trace.background ?? [];
  const untold = allBehind.value.flatMap(({ turn, at, node: _, duration_ms: ms, ...call }) =>
    ms === undefined || turn !== trace.id || told.some(({ pid }) => pid === call.pid)
      ? []
      : [{ ...call, duration_ms: ms, started_ms: at - trace.started_at }],
  );
  return untold.length > 0 ? { ...trace, background: [...told, ...untold] } : trace;
}

/** The number in `msg_7`. @param {string} id */
function numberOf(id) {
  return Number(id.slice('msg_'.length)) || 0;
}
