// The runs of test suites that this browser has seen: when each was, how long it took, how it ended, and what failed. So a run
// can be compared with the one before it, and a run that somebody else's server left behind isn't taken for one's own.
//
// A run is known by the session of its first result, which the runner draws.

import { signal } from './vendor/ui.mjs';
import { account, parsed, written } from './api.js';
import { kindOf } from './results.js';
import { remember, remembered } from './storage.js';

/** @typedef {import('./contract.js').TestResult} TestResult */
/** @typedef {object} Run
 * @property {string} id
 * @property {number} [began]  milliseconds since the epoch; unknown where the page came later
 * @property {number} [ended]  unknown while it goes on, and where it was cut off
 * @property {string[]} suites
 * @property {string[]} failed  checks, see `keyOf`
 * @property {{passed: number, failed: number}} counts */

const RUNS_MAX = 20;
const FAILED_MAX = 200;
const KEY_CHARACTERS_MAX = 200;

/** The latest first. @type {import('./vendor/ui.mjs').Signal<Run[]>} */
export const runs = signal([]);

function place() {
  return `test-runs:${account.peek()?.sub ?? ''}`;
}

export function readRuns() {
  try {
    runs.value = parsed(remembered(place()) || '[]');
  } catch {
    runs.value = [];
  }
}

/** The run that results belong to; empty where the runner doesn't say. @param {TestResult[]} results */
export function runOf(results) {
  return results[0]?.session ?? '';
}

/** @param {string} id */
export function knownRun(id) {
  return runs.value.find((run) => run.id === id);
}

/** Which check a result is of. @param {TestResult} result */
export function keyOf({ suite, step, check }) {
  return `${suite}\n${step}\n${check}`.slice(0, KEY_CHARACTERS_MAX);
}

/** Writes down how far a run has come. @param {TestResult[]} results @param {{began?: number, ended?: number}} times */
export function keepRun(results, { began, ended }) {
  const id = runOf(results);
  if (!id) return;
  const known = knownRun(id);
  const failed = results.filter((result) => kindOf(result) === 'failed');
  const passed = results.filter((result) => kindOf(result) === 'passed');
  /** @type {Run} */
  const run = {
    id,
    began: known?.began ?? began,
    ended: ended ?? known?.ended,
    suites: [...new Set(results.map(({ suite }) => suite))],
    failed: failed.slice(0, FAILED_MAX).map(keyOf),
    counts: { passed: passed.length, failed: failed.length },
  };
  runs.value = [run, ...runs.value.filter((one) => one.id !== id)].slice(0, RUNS_MAX);
  remember(place(), written(runs.value));
}

/** What has changed since each suite ran last. `before`: the latest of those runs; none where nothing can be compared.
 * @param {TestResult[]} results @returns {{before?: Run, broken: Set<string>, fixed: Set<string>}} */
export function changes(results) {
  const id = runOf(results);
  const at = runs.value.findIndex((run) => run.id === id);
  const earlier = runs.value.slice(at + 1).filter(({ failed, counts }) => failed.length === counts.failed);
  const [broken, fixed] = [new Set(), new Set()];
  /** @type {Map<string, Run | undefined>} */
  const last = new Map();
  if (id) for (const { suite } of results) if (!last.has(suite)) last.set(suite, earlier.find(({ suites }) => suites.includes(suite)));
  for (const result of results) {
    const before = last.get(result.suite);
    const key = keyOf(result);
    const kind = kindOf(result);
    if (before && kind === 'failed' && !before.failed.includes(key)) broken.add(key);
    if (before && kind === 'passed' && before.failed.includes(key)) fixed.add(key);
  }
  return { before: earlier.find((run) => [...last.values()].includes(run)), broken, fixed };
}
