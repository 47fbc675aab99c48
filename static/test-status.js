// The status of test runs, as the server relays it: over a WebSocket of its own where the page has one, else with the session's
// event stream.
//
// A report carries all results as long as they are few; beyond, only the new one. So whenever the reports begin, the status is
// read once, and reports that come meanwhile wait. What comes is applied once per painted frame.

import { batch, effect, signal } from './vendor/ui.mjs';
import { post, read } from './api.js';
import { openSocket } from './links.js';
import { connection, testReports } from './session.js';
import { keepRun, knownRun, readRuns, runOf } from './test-history.js';

/** @typedef {import('./contract.js').TestResult} TestResult */
/** @typedef {import('./contract.js').SuiteEntry} SuiteEntry */
/** `isLeft`: nothing was reported to this server; it found the results in a file.
 * @typedef {{running: boolean, current: string, results: TestResult[], total: number, isCutOff: boolean, isLeft: boolean}} Board */
/** `running`: whether this server runs suites itself, which is what another start has to wait for.
 * @typedef {{enabled: boolean, running: boolean, folder?: string, suites: SuiteEntry[]}} Offer */

const RETRY_MS = 1000;
const HIDDEN_MS = 50;
/** Whoever reports a run from elsewhere may be gone when nothing more is heard of it. */
const SILENT_MS_MIN = 15_000;
/** What this server runs itself ends a moment after its last report. */
const OFFER_AGAIN_MS = 500;

/** @type {import('./vendor/ui.mjs').Signal<Board | undefined>} */
export const board = signal(undefined);
/** The suites that the server offers to run. @type {import('./vendor/ui.mjs').Signal<Offer | undefined>} */
export const offer = signal(undefined);
/** The sessions of suites that are being run; of those that have ended, null. @type {import('./vendor/ui.mjs').Signal<Record<string, string | null>>} */
export const played = signal({});
/** A run goes on, and nothing was heard of it for long. */
export const isSilent = signal(false);

/** @type {any[]} */
let incoming = [];
let isDue = false;
let isCaughtUp = false;
/** So many of the next reports may be in the status already. */
let doubtful = 0;
let isWatched = false;
let silenceTimer = 0;
let offerTimer = 0;
let offersAsked = 0;
/** When the run that goes on began, where that was seen. @type {number | undefined} */
let began;

/** Watches until what it gives is called. */
export function watchBoard() {
  isWatched = true;
  readRuns();
  readOffer();
  const leave = effect(() => {
    if (connection.value === 'open') return followSocket();
    if (connection.value === 'stream') return followStream();
  });
  return () => {
    isWatched = false;
    leave();
    clearTimeout(silenceTimer);
    clearTimeout(offerTimer);
    began = undefined;
    incoming = [];
  };
}

/** Gives what ends it. */
function followSocket() {
  let timer = 0;
  /** @type {import('./links.js').Link | undefined} */
  let link;
  function open() {
    let isFirst = true;
    link = openSocket('/ws/test', {}, {
      onMessage(report) {
        if (isFirst) catchUp();
        isFirst = false;
        receive(report);
      },
      onEnd: () => void (timer = setTimeout(open, RETRY_MS)),
    });
  }
  open();
  return () => {
    clearTimeout(timer);
    link?.close();
  };
}

function followStream() {
  catchUp();
  testReports.add(receive);
  return () => void testReports.delete(receive);
}

async function catchUp() {
  isCaughtUp = false;
  incoming = [];
  try {
    let status = await read('/api/test/status');
    if (status.results.length === 0 && !status.running) status = { ...status, ...(await lastRun()) };
    if (!isWatched) return;
    batch(() => show(boardOf(status)));
    isCaughtUp = true;
    doubtful = incoming.length;
    flushSoon();
  } catch {
    if (isWatched) setTimeout(catchUp, RETRY_MS);
  }
}

async function readOffer() {
  offersAsked += 1;
  const asking = offersAsked;
  // A server without suites still relays reports.
  const now = await read('/api/tests/suites').catch(() => offer.value);
  if (!isWatched || asking !== offersAsked) return;
  offer.value = now;
  clearTimeout(offerTimer);
  if (now?.running && !board.value?.running) offerTimer = setTimeout(readOffer, OFFER_AGAIN_MS);
}

/** @param {string[]} suites none means all @returns {Promise<void>} */
export async function run(suites) {
  await post('/api/tests/run', { suites });
  if (offer.value) offer.value = { ...offer.value, running: true };
  readOffer();
}

/** @param {any} report */
function receive(report) {
  incoming.push(report);
  flushSoon();
}

function flushSoon() {
  if (isDue || !isCaughtUp) return;
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
  // Nothing was reported to this server yet: what is known of the run before stays.
  if (!report.event && !report.running && results?.length === 0) return;
  if (!results) results = report.event === 'step_result' && !isKnown(known, report.result) ? [...known, report.result] : known;
  doubtful = Math.max(0, doubtful - 1);
  show(boardOf({ ...report, results }));
  if (report.event === 'suite_start') {
    const isFirst = results.length === 0 && report.count !== undefined && report.count !== null;
    if (isFirst) {
      readOffer();
      began = Date.now();
    }
    played.value = { ...(isFirst ? {} : played.value), [report.suite]: report.session ?? '' };
  }
  if (report.event === 'suite_end' && report.running) {
    played.value = { ...played.value, [report.suite]: null };
  }
}

/** @param {TestResult[]} known @param {TestResult} result */
function isKnown(known, result) {
  const text = JSON.stringify(result);
  return doubtful > 0 && known.some((one) => JSON.stringify(one) === text);
}

/** @param {any} status @returns {Board} */
function boardOf({ running, current, results, total_expected: total, ended, isLeft = false }) {
  return { running, current: current ?? '', results, total: total ?? 0, isCutOff: !running && ended === false, isLeft };
}

/** @param {Board} now */
function show(now) {
  const before = board.value;
  const wasRunning = before?.running;
  const { running, results } = now;
  board.value = now;
  // From its first result on, so that one that is cut off is known as well.
  if (running && results.length > 0 && runOf(before?.results ?? []) !== runOf(results)) keepRun(results, { began });
  if (wasRunning && !running) {
    keepRun(results, { began, ended: Date.now() });
    began = undefined;
  }
  // It may have ended while nobody looked.
  if (!before && !running && knownRun(runOf(results))) keepRun(results, {});
  if (!running) played.value = {};
  isSilent.value = false;
  clearTimeout(silenceTimer);
  if (running) silenceTimer = setTimeout(() => (isSilent.value = true), SILENT_MS_MIN);
  if (wasRunning !== undefined && wasRunning !== running) readOffer();
}

/** What the server keeps of the run before. */
async function lastRun() {
  const { results = [], total_expected: total, ended } = await read('/api/tests');
  // It may be somebody else's that goes on.
  if (ended === false) await readOffer();
  return results.length > 0 || ended === false ? { results, total_expected: total, ended, isLeft: true } : {};
}
