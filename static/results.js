// The results of a test run, put in order: by suite and step, with what is to be seen of each.
//
// Pure. What a run reports beyond its checks (time, judgement) is shown and does not count.

/** @typedef {import('./contract.js').TestResult} TestResult */
/** @typedef {{passed: number, failed: number, skipped: number, unknown: number, reported: number}} Counts */
/** @typedef {{key: string, name: string, results: TestResult[], counts: Counts}} Step */
/** @typedef {{name: string, file: string, session: string, last: string, steps: Step[], counts: Counts, elapsed_ms: number}} Suite */

/** @param {TestResult[]} results @returns {Suite[]} in the order in which they came */
export function grouped(results) {
  /** @type {Map<string, Suite & {byStep: Map<string, Step>}>} */
  const suites = new Map();
  for (const result of results) {
    let suite = suites.get(result.suite);
    if (!suite) {
      suite = { name: result.suite, file: '', session: '', last: '', steps: [], counts: none(), elapsed_ms: 0, byStep: new Map() };
      suites.set(result.suite, suite);
    }
    let step = suite.byStep.get(result.step);
    if (!step) {
      step = { key: `${result.suite}/${result.step}`, name: result.step, results: [], counts: none() };
      suite.byStep.set(result.step, step);
      suite.steps.push(step);
    }
    step.results.push(result);
    suite.session ||= result.session ?? '';
    suite.file ||= result.file ?? '';
    suite.last = result.step;
    suite.elapsed_ms += result.elapsed_ms ?? 0;
    for (const counts of [step.counts, suite.counts]) counts[kindOf(result)] += 1;
  }
  return [...suites.values()];
}

/** @returns {Counts} */
function none() {
  return { passed: 0, failed: 0, skipped: 0, unknown: 0, reported: 0 };
}

/** @type {Map<unknown, keyof Counts>} */
const KINDS = new Map([['PASS', 'passed'], ['FAIL', 'failed'], ['SKIP', 'skipped']]);

/** A runner may be newer than this page. @param {TestResult} result @returns {keyof Counts} */
export function kindOf({ status, reported }) {
  return reported ? 'reported' : KINDS.get(status) ?? 'unknown';
}

/** @param {Suite[]} suites @returns {Counts} */
export function total(suites) {
  const all = none();
  for (const { counts } of suites) for (const kind of /** @type {(keyof Counts)[]} */ (Object.keys(all))) all[kind] += counts[kind];
  return all;
}

/** Only what failed, and where. @param {Suite[]} suites @returns {Suite[]} */
export function failures(suites) {
  return suites
    .map((suite) => ({ ...suite, steps: suite.steps.filter(({ counts }) => counts.failed > 0).map(onlyFailed) }))
    .filter(({ steps }) => steps.length > 0);
}

/** @param {Step} step @returns {Step} */
function onlyFailed(step) {
  return { ...step, results: step.results.filter((result) => kindOf(result) === 'failed') };
}
