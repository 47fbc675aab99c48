// The panel Tests: suites and their results, as each check falls; suites can be started where the server allows it.

import { html, useEffect, useMemo, useState } from './vendor/ui.mjs';
import { session as ownSession } from './api.js';
import { board, isSilent, offer, played, run, watchBoard } from './test-status.js';
import { difference } from './difference.js';
import { failures, grouped, kindOf, total } from './results.js';
import { plain } from './coerce.js';
import { counted, duration, visible } from './words.js';

/** @typedef {import('./contract.js').TestResult} TestResult */
/** @typedef {import('./contract.js').SuiteEntry} SuiteEntry */
/** @typedef {import('./results.js').Suite} Suite */
/** @typedef {import('./results.js').Step} Step */
/** @typedef {import('./results.js').Counts} Counts */

/** So many of one kind are drawn at first, and so many more with each press. */
const DRAWN = 60;

export function TestsPanel() {
  useEffect(watchBoard, []);
  const [failedOnly, setFailedOnly] = useState(false);
  const now = board.value;
  const suites = useMemo(() => grouped(now?.results ?? []), [now?.results]);
  if (!now) return null;
  const counts = total(suites);
  const shown = failedOnly ? failures(suites) : suites;
  // Only of what is played elsewhere it isn't known whether it goes on.
  const isLost = isSilent.value && !offer.value?.running;
  return html`
    <div class="tests">
      <h2 class="sr-only">Tests</h2>
      <${Start} failed=${suites.filter((suite) => suite.counts.failed > 0).map(({ name }) => name)} />
      ${(now.running || now.isCutOff || suites.length > 0) && html`<${Progress} now=${now} counts=${counts} isLost=${isLost} />`}
      ${counts.failed > 0 && html`
        <label class="only"><input type="checkbox" checked=${failedOnly} onChange=${(/** @type {any} */ event) => setFailedOnly(event.target.checked)} /> Failed only</label>
      `}
      <${Suites} suites=${shown} offered=${offer.value?.suites ?? []} isWhole=${!failedOnly} playing=${!now.running ? '' : isLost ? 'unended' : 'running'} latest=${now.results.at(-1)?.suite} />
    </div>
  `;
}

/** @param {{failed: string[]}} props */
function Start({ failed }) {
  const [said, setSaid] = useState('');
  const offered = offer.value;
  if (!offered) return null;
  if (!offered.enabled) {
    return html`
      <div class="disabled">
        <p>Suites can be started from here once the server allows it: start it with <code>--tests</code>.</p>
        <p>From a terminal they run against any server, and are seen here as they fall:</p>
        <pre tabindex="0"><code>framewright test testcases/smoketest.md --url ${location.origin}</code></pre>
      </div>
    `;
  }
  if (offered.suites.length === 0) {
    return html`<p class="disabled">There is no suite in <code>${offered.folder}</code>. Name another folder with <code>--suites</code> when the server is started.</p>`;
  }
  const names = new Set(offered.suites.filter(({ error }) => !error).map(({ name }) => name));
  const again = failed.filter((name) => names.has(name));
  return html`
    <div class="start">
      <${RunButton} names=${[]} label="Run all" isStrong=${true} onSaid=${setSaid} />
      ${again.length > 0 && html`<${RunButton} names=${again} label="Run failed" onSaid=${setSaid} />`}
      <p class="said" role="status">${said}</p>
    </div>
  `;
}

/** @param {{names: string[], label: string, about?: string, isStrong?: boolean, onSaid: (sentence: string) => void}} props */
function RunButton({ names, label, about, isStrong = false, onSaid }) {
  const isRunning = offer.value?.running ?? false;
  async function start() {
    onSaid('');
    try {
      await run(names);
    } catch (error) {
      onSaid(error instanceof Error ? error.message : String(error));
    }
  }
  // It stays where it is while a run is on: the focus must not get lost.
  return html`<button type="button" class=${isStrong ? 'strong' : 'plain'} aria-label=${about} aria-disabled=${isRunning} onClick=${() => isRunning || start()}>${label}</button>`;
}

/** @param {{now: import('./test-status.js').Board, counts: Counts, isLost: boolean}} props */
function Progress({ now, counts, isLost }) {
  const done = now.results.length;
  const all = Math.max(now.total, done);
  const parts = [
    html`<span data-kind="passed">${counts.passed} passed</span>`,
    html`<span data-kind=${counts.failed > 0 ? 'failed' : 'none'}>${counts.failed} failed</span>`,
    counts.skipped > 0 && html`<span data-kind="skipped">${counts.skipped} skipped</span>`,
    counts.unknown > 0 && html`<span data-kind="unknown">${counts.unknown} unknown</span>`,
    counts.reported > 0 && html`<span data-kind="reported">${counts.reported} reported</span>`,
  ];
  return html`
    <div class="progress-of-tests" data-running=${now.running}>
      <p class="tally"><b>${done}${now.total > 0 && html`<small> of ${all}</small>`}</b> ${parts}</p>
      <div class="bar" role="progressbar" aria-label="Checks" aria-valuemin="0" aria-valuemax=${all} aria-valuenow=${done}>
        ${['passed', 'reported', 'skipped', 'unknown', 'failed'].map((kind) => html`<i data-kind=${kind} style=${{ width: `${(100 * counts[/** @type {keyof Counts} */ (kind)]) / (all || 1)}%` }}></i>`)}
      </div>
      <p class="current">${isLost ? LOST : now.running ? now.current || 'Starting …' : howEnded(now, counts)}</p>
    </div>
  `;
}

const LOST = 'No news for long: the runner may be gone.';

/** @param {import('./test-status.js').Board} now @param {Counts} counts */
function howEnded({ isCutOff }, { failed, unknown }) {
  // Of somebody else's run too it is kept how far it came.
  if (isCutOff && offer.value?.running) return 'A run that somebody else started goes on.';
  if (isCutOff) return 'The run was cut off when the server ended: what has no result was not played to its end.';
  if (failed > 0) return `The run ended with ${counted(failed, 'failure')}.`;
  if (unknown > 0) return `The run ended; ${counted(unknown, 'check')} ${unknown === 1 ? 'has' : 'have'} a status that this page does not know.`;
  return 'The run ended; nothing failed.';
}

/** Those that have results, as they came, and below them, where all are wanted, those that could be played.
 * @param {{suites: Suite[], offered: SuiteEntry[], isWhole: boolean, playing: Playing, latest?: string}} props */
function Suites({ suites, offered, isWhole, playing, latest }) {
  const named = new Map(offered.map((entry) => [entry.name, entry]));
  const rest = offered.filter(({ name }) => isWhole && !suites.some((suite) => suite.name === name));
  // A page that came later knows only of whom it heard last.
  const isPlayed = (/** @type {string} */ name) => (name in played.value ? played.value[name] !== null : name === latest);
  const playingOf = (/** @type {string} */ name) => (isPlayed(name) ? playing : '');
  return html`
    ${suites.map((suite) => html`<${SuiteView} key=${suite.name} suite=${suite} entry=${named.get(suite.name)} playing=${playingOf(suite.name)} />`)}
    ${rest.map((entry) => html`<${SuiteView} key=${entry.name} entry=${entry} playing=${playingOf(entry.name)} />`)}
  `;
}

/** @param {{suite?: Suite, entry?: SuiteEntry, playing: Playing}} props */
function SuiteView({ suite, entry, playing }) {
  const [said, setSaid] = useState('');
  const name = suite?.name ?? entry?.name ?? '';
  const isBusy = playing && offer.value?.running;
  const session = played.value[name] || suite?.session;
  const facts = [entry?.file ?? suite?.file, entry?.steps && counted(entry.steps, 'step'), entry?.checks && counted(entry.checks, 'check'), suite && suite.elapsed_ms > 0 && duration(suite.elapsed_ms)];
  return html`
    <section class="suite" data-suite=${name} aria-label=${`Suite ${name}`}>
      <div class="suite-head">
        <div>
          <h3>${(suite || playing) && html`<${Sign} kind=${playing || worst(/** @type {Suite} */ (suite).counts)} />`}${entry?.title ?? name}</h3>
          <p class="facts">${facts.filter(Boolean).join(' · ')}</p>
        </div>
        <p class="deeds">
          ${playing === 'running' && session && session !== ownSession && html`<a href=${address(session, '#/graph')} target="_blank" rel="noopener">Watch</a>`}
          ${offer.value?.enabled && entry && !entry.error && html`<${RunButton} names=${[name]} label=${isBusy ? 'Running …' : 'Run'} about=${isBusy ? undefined : `Run ${name}`} onSaid=${setSaid} />`}
        </p>
      </div>
      ${said && html`<p class="bad" role="status">${said}</p>`}
      ${entry?.error && html`<p class="bad">${entry.error}</p>`}
      ${suite && html`<${Bounded} class="steps" items=${suite.steps} noun="step" draw=${(/** @type {Step} */ step) => html`<${StepView} key=${step.key} step=${step} playing=${step.name === suite.last ? playing : ''} />`} />`}
    </section>
  `;
}

/** @param {Counts} counts @returns {keyof Counts} */
function worst({ failed, unknown, skipped, passed }) {
  if (failed > 0) return 'failed';
  if (unknown > 0) return 'unknown';
  return passed > 0 ? 'passed' : skipped > 0 ? 'skipped' : 'reported';
}

/** Folded once it has passed. @param {{step: Step, playing: Playing}} props */
function StepView({ step, playing }) {
  const [wanted, setWanted] = useState(/** @type {boolean | undefined} */ (undefined));
  const kind = worst(step.counts);
  const isOpen = wanted ?? (Boolean(playing) || kind === 'failed');
  return html`
    <li class="step" data-kind=${kind}>
      <button type="button" class="step-head" aria-expanded=${isOpen} onClick=${() => setWanted(!isOpen)}>
        <${Sign} kind=${playing || kind} />
        <span class="step-name">${step.name || 'Before the first step'}</span>
        <small>${counted(step.results.length, 'check')}${step.counts.failed > 0 && html`, <b class="bad">${step.counts.failed} failed</b>`}</small>
      </button>
      ${isOpen && html`<${Bounded} class="checks" items=${step.results} noun="check" draw=${(/** @type {TestResult} */ result, /** @type {number} */ at) => html`<${Check} key=${at} result=${result} />`} />`}
    </li>
  `;
}

/** A list of which only so much is drawn as can be read. @param {{class: string, items: any[], noun: string, draw: (item: any, at: number) => any}} props */
function Bounded({ class: name, items, noun, draw }) {
  const [most, setMost] = useState(DRAWN);
  const rest = items.length - most;
  return html`
    <ul class=${name}>
      ${items.slice(0, most).map(draw)}
      ${rest > 0 && html`<li><button type="button" class="quiet" onClick=${() => setMost(most + DRAWN)}>Show ${Math.min(rest, DRAWN)} more of ${counted(rest, noun)}</button></li>`}
    </ul>
  `;
}

/** What has not ended may still fail, so it shows no result yet.
 * @typedef {'' | 'running' | 'unended'} Playing
 * @typedef {keyof Counts | 'running' | 'unended'} Kind */

/** @type {Record<Kind, {sign: string, word: string}>} */
const SIGN = {
  passed: { sign: '✓', word: 'passed' },
  failed: { sign: '✗', word: 'failed' },
  skipped: { sign: '–', word: 'skipped' },
  unknown: { sign: '?', word: 'unknown' },
  reported: { sign: '·', word: 'reported' },
  running: { sign: '▸', word: 'runs' },
  unended: { sign: '…', word: 'did not end' },
};

/** @param {{kind: Kind}} props */
function Sign({ kind }) {
  return html`<span class="sign" data-kind=${kind}><span aria-hidden="true">${SIGN[kind].sign}</span><span class="sr-only">${SIGN[kind].word}: </span></span>`;
}

/** @param {{result: TestResult}} props */
function Check({ result }) {
  const kind = kindOf(result);
  return html`
    <li class="check" data-kind=${kind}>
      <p class="check-head">
        <span class="word" data-kind=${kind}>${SIGN[kind].sign} ${SIGN[kind].word}</span>
        <span class="check-text">${result.check}</span>
        <span class="time">${[result.frames !== undefined && counted(result.frames, 'frame'), result.elapsed_ms !== undefined && duration(result.elapsed_ms)].filter(Boolean).join(' · ')}</span>
      </p>
      ${kind === 'failed' && html`<${Failure} result=${result} />`}
      ${kind === 'unknown' && html`<p class="facts">This page does not know the status <bdi>“${visible(plain(result.status))}”</bdi>.</p>`}
      ${(kind === 'skipped' || kind === 'unknown' || kind === 'reported') && html`<p class="facts">${result.detail || result.got}</p>`}
    </li>
  `;
}

/** @param {{result: TestResult}} props */
function Failure({ result: { expected, got, detail, file, line, path, frames, session, turn } }) {
  const facts = [file && `${file}${line ? `:${line}` : ''}`, path && `path ${path}`, frames !== undefined && counted(frames, 'frame')];
  return html`
    ${expected !== undefined && got !== undefined ? html`<${Difference} expected=${expected} got=${got} />` : html`<p class="detail">${detail}</p>`}
    <p class="facts">
      ${facts.filter(Boolean).join(' · ')}
      ${session && turn && html` <a href=${address(session, `#/turn/${turn}`)} target="_blank" rel="noopener">Open the trace</a>`}
    </p>
  `;
}

/** @param {{expected: string, got: string}} props */
function Difference({ expected, got }) {
  const pieces = useMemo(() => difference(expected, got), [expected, got]);
  return html`
    <dl class="difference">
      <div><dt>expected</dt><dd>${pieces.expected.map(({ text, isMarked }) => (isMarked ? html`<del>${text}</del>` : text))}</dd></div>
      <div><dt>got</dt><dd>${got === '' ? html`<i>nothing</i>` : pieces.got.map(({ text, isMarked }) => (isMarked ? html`<ins>${text}</ins>` : text))}</dd></div>
    </dl>
  `;
}

/** The page on another session, in a window of its own. @param {string} session @param {string} hash */
function address(session, hash) {
  return `${location.pathname}?session=${encodeURIComponent(session)}${hash}`;
}
