// The state of the test runs, as the server relays it: live over the socket, else by asking.
//
// A report carries all results as long as they are few; beyond, only the new one, and asking fills what was missed. What
// comes is applied once per painted frame.

import { batch, signal } from './vendor/ui.mjs';
import { post, read } from './api.js';
import { openFeed } from './feed.js';

/** @typedef {import('./contract.js').TestResult} TestResult */
/** @typedef {import('./contract.js').SuiteEntry} SuiteEntry */
/** @typedef {{running: boolean, current: string, results: TestResult[], total: number, isCutOff: boolean}} Board */
/** `running`: whether this server plays suites itself, which is what another start has to wait for.
 * @typedef {{enabled: boolean, running: boolean, folder?: string, suites: SuiteEntry[]}} Offer */

/** A long list of results is not asked for twice a second. */
const LONG = 300;
const LONG_PAUSE_MS = 4000;
const HIDDEN_MS = 50;
/** Whoever reports a run from elsewhere may be gone when nothing more is heard of it. */
const SILENT_MS_MIN = 15_000;
/** What this server plays itself ends a moment after its last report. */
const OFFER_AGAIN_MS = 500;

/** @type {import('./vendor/ui.mjs').Signal<Board | undefined>} */
export const board = signal(undefined);
/** The suites that the server offers to play. @type {import('./vendor/ui.mjs').Signal<Offer | undefined>} */
export const offer = signal(undefined);
/** The sessions of suites that are being played; of those that have ended, null. @type {import('./vendor/ui.mjs').Signal<Record<string, string | null>>} */
export const played = signal({});
/** A run goes on, and nothing was heard of it for long. */
export const isSilent = signal(false);
/** @type {import('./vendor/ui.mjs').Signal<import('./feed.js').FeedWay>} */
export const way = signal('connecting');

/** @type {any[]} */
let incoming = [];
let isDue = false;
let heard = 0;
let asked = 0;
let isWatched = false;
let silenceTimer = 0;
let offerTimer = 0;
let offersAsked = 0;

/** Looks, until what it gives is called. */
export function watchBoard() {
  isWatched = true;
  const feed = openFeed('/ws/test', { poll, onMessage: receive });
  const stop = feed.way.subscribe((now) => (way.value = now));
  readOffer();
  return () => {
    isWatched = false;
    clearTimeout(silenceTimer);
    clearTimeout(offerTimer);
    stop();
    feed.close();
    incoming = [];
  };
}

async function readOffer() {
  offersAsked += 1;
  const asking = offersAsked;
  // A server that knows of no suites tells results all the same.
  const now = await read('/api/tests/suites').catch(() => offer.value);
  if (!isWatched || asking !== offersAsked) return;
  offer.value = now;
  clearTimeout(offerTimer);
  if (now?.running) offerTimer = setTimeout(readOffer, OFFER_AGAIN_MS);
}

/** @param {string[]} suites none means all @returns {Promise<void>} */
export async function run(suites) {
  await post('/api/tests/run', { suites });
  if (offer.value) offer.value = { ...offer.value, running: true };
  readOffer();
}

/** @param {any} report */
function receive(report) {
  heard += 1;
  incoming.push(report);
  if (isDue) return;
  isDue = true;
  // A hidden page paints nothing, so it must not wait for the next painted frame.
  if (document.hidden) setTimeout(flush, HIDDEN_MS);
  else requestAnimationFrame(flush);
}

function flush() {
  isDue = false;
  const reports = incoming;
  incoming = [];
  batch(() => reports.forEach(apply));
}

/** @param {any} report */
function apply(report) {
  const known = board.value?.results ?? [];
  let { results } = report;
  // Nothing was reported to this server yet: what asking has found of the run before stays.
  if (!report.event && !report.running && results?.length === 0) return;
  if (!results) results = report.event === 'step_result' && !isKnown(known, report.result) ? [...known, report.result] : known;
  show(boardOf({ ...report, results }));
  if (report.event === 'suite_start') {
    const isFirst = results.length === 0 && report.count !== undefined && report.count !== null;
    if (isFirst) readOffer();
    played.value = { ...(isFirst ? {} : played.value), [report.suite]: report.session ?? '' };
  }
  if (report.event === 'suite_end' && report.running) {
    played.value = { ...played.value, [report.suite]: null };
  }
}

/** Asking may have brought it before the socket did. @param {TestResult[]} known @param {TestResult} result */
function isKnown(known, result) {
  const text = JSON.stringify(result);
  return known.slice(-20).some((one) => JSON.stringify(one) === text);
}

/** @param {any} status @returns {Board} */
function boardOf({ running, current, results, total_expected: total, ended }) {
  return { running, current: current ?? '', results, total: total ?? 0, isCutOff: !running && ended === false };
}

/** @param {Board} now */
function show(now) {
  const wasRunning = board.value?.running;
  const { running } = now;
  board.value = now;
  if (!running) played.value = {};
  isSilent.value = false;
  clearTimeout(silenceTimer);
  if (running) silenceTimer = setTimeout(() => (isSilent.value = true), SILENT_MS_MIN);
  if (wasRunning !== undefined && wasRunning !== running) readOffer();
}

async function poll() {
  const known = board.value;
  if (known && known.results.length > LONG && Date.now() - asked < LONG_PAUSE_MS) return false;
  asked = Date.now();
  const heardThen = heard;
  let status = await read('/api/test/status');
  if (status.results.length === 0 && !status.running) status = { ...status, ...(await lastRun()) };
  // What the socket told meanwhile is newer.
  if (heard !== heardThen && board.value && status.results.length <= board.value.results.length) return false;
  const before = board.value;
  const now = boardOf(status);
  const isNews = !before || before.results.length !== now.results.length || before.running !== now.running || before.current !== now.current || before.isCutOff !== now.isCutOff;
  if (isNews) batch(() => show(now));
  return isNews;
}

/** What the server keeps of the run before. */
async function lastRun() {
  const { results = [], total_expected: total, ended } = await read('/api/tests');
  // It may be somebody else's that goes on.
  if (ended === false) await readOffer();
  return results.length > 0 || ended === false ? { results, total_expected: total, ended } : {};
}
