// The panel Tests: suites and their results, as each check ends; suites can be started where the server allows it. What failed
// stands first, and what has changed since the run before is marked.

import { html, useEffect, useMemo, useState } from './vendor/ui.mjs';
import { session as ownSession } from './api.js';
import { dated, t } from './i18n.js';
import { board, isSilent, offer, played, run, watchBoard } from './test-status.js';
import { changes, keyOf, knownRun, runOf, runs } from './test-history.js';
import { difference } from './difference.js';
import { failures, grouped, kindOf, total } from './results.js';
import { plain } from './coerce.js';
import { duration, visible } from './words.js';

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
  const [wanted, setWanted] = useState('');
  const now = board.value;
  const id = runOf(now?.results ?? []);
  // Results that lay in a folder may be of anybody and of any time.
  const isForeign = Boolean(now?.isLeft && !knownRun(id) && wanted !== id);
  const results = isForeign ? [] : (now?.results ?? []);
  const suites = useMemo(() => ordered(grouped(results), Boolean(now?.running)), [now?.results, isForeign, now?.running]);
  const changed = useMemo(() => changes(results), [now?.results, isForeign, runs.value]);
  if (!now) return null;
  const counts = total(suites);
  const shown = failedOnly ? failures(suites) : suites;
  // Only of what runs elsewhere it isn't known whether it goes on.
  const isLost = isSilent.value && !offer.value?.running;
  const playing = !now.running ? '' : isLost ? 'unended' : 'running';
  return html`
    <div class="tests">
      <h2 class="sr-only">${t('cockpit.tests')}</h2>
      <${Start} failed=${suites.filter((suite) => suite.counts.failed > 0).map(({ name }) => name)} />
      ${isForeign ? html`<${Left} counts=${total(grouped(now.results))} isCutOff=${now.isCutOff} onShow=${() => setWanted(id)} />` : html`
        ${(now.running || now.isCutOff || suites.length > 0) && html`<${Progress} now=${now} counts=${counts} isLost=${isLost} changed=${changed} />`}
      `}
      ${counts.failed > 0 && html`
        <label class="only"><input type="checkbox" checked=${failedOnly} onChange=${(/** @type {any} */ event) => setFailedOnly(event.target.checked)} /> ${t('tests.failed_only')}</label>
      `}
      <${Suites} suites=${shown} offered=${offer.value?.suites ?? []} isWhole=${!failedOnly} playing=${playing} latest=${results.at(-1)?.suite} changed=${changed} />
      <${History} />
    </div>
  `;
}

/** What failed first, once nothing moves any more. @param {Suite[]} suites @param {boolean} isRunning @returns {Suite[]} */
function ordered(suites, isRunning) {
  if (isRunning) return suites;
  /** @template {{counts: Counts}} T @param {T[]} all @returns {T[]} */
  const sorted = (all) => [...all.filter(({ counts }) => counts.failed > 0), ...all.filter(({ counts }) => counts.failed === 0)];
  return sorted(suites).map((suite) => ({ ...suite, steps: sorted(suite.steps) }));
}

/** Results that this server found when it started. @param {{counts: Counts, isCutOff: boolean, onShow: () => void}} props */
function Left({ counts, isCutOff, onShow }) {
  const all = counts.passed + counts.failed + counts.skipped + counts.unknown;
  return html`
    <div class="disabled left">
      <p>${isCutOff ? t('tests.left_cut', { count: all }) : t('tests.left', { count: all })}${offer.value?.folder && html` (<code>${offer.value.folder}</code>)`}. ${t('tests.left_whose')}</p>
      <p><button type="button" class="plain" onClick=${onShow}>${t('tests.left_show')}</button></p>
    </div>
  `;
}

/** The runs that this browser has seen. */
function History() {
  if (runs.value.length === 0) return null;
  return html`
    <details class="runs">
      <summary>${t('tests.history', { count: runs.value.length })}</summary>
      <table>
        <thead><tr><th scope="col">${t('tests.began')}</th><th scope="col">${t('tests.length')}</th><th scope="col">${t('tests.suites')}</th><th scope="col">${t('tests.outcome')}</th></tr></thead>
        <tbody>
          ${runs.value.map(({ id, began, ended, suites, counts }) => html`
            <tr key=${id}>
              <th scope="row">${when(began ?? ended)}</th>
              <td>${ended === undefined ? t('tests.not_ended') : began === undefined ? '' : duration(ended - began)}</td>
              <td>${suites.length > 3 ? t('tests.suite_count', { count: suites.length }) : suites.join(', ')}</td>
              <td>${t('tests.passed', { count: counts.passed })}${counts.failed > 0 && html` · <b class="bad">${t('tests.failed', { count: counts.failed })}</b>`}</td>
            </tr>
          `)}
        </tbody>
      </table>
    </details>
  `;
}

/** @param {number | undefined} moment */
function when(moment) {
  return moment === undefined ? '' : dated(moment, { dateStyle: 'short', timeStyle: 'short' });
}

/** @param {{failed: string[]}} props */
function Start({ failed }) {
  const [said, setSaid] = useState('');
  const offered = offer.value;
  if (!offered) return null;
  if (!offered.enabled) {
    return html`
      <div class="disabled">
        <p>${t('tests.off')} <code>--tests</code></p>
        <p>${t('tests.terminal')}</p>
        <pre tabindex="0"><code>framewright test testcases/smoketest.md --url ${location.origin}</code></pre>
      </div>
    `;
  }
  if (offered.suites.length === 0) {
    return html`<p class="disabled">${t('tests.nowhere', { folder: offered.folder ?? '' })}</p>`;
  }
  const names = new Set(offered.suites.filter(({ error }) => !error).map(({ name }) => name));
  const again = failed.filter((name) => names.has(name));
  return html`
    <div class="start">
      <${RunButton} names=${[]} label=${t('tests.run_all')} isStrong=${true} onSaid=${setSaid} />
      ${again.length > 0 && html`<${RunButton} names=${again} label=${t('tests.run_failed')} onSaid=${setSaid} />`}
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

/** @param {{now: import('./test-status.js').Board, counts: Counts, isLost: boolean, changed: ReturnType<typeof changes>}} props */
function Progress({ now, counts, isLost, changed }) {
  const done = now.results.length;
  const all = Math.max(now.total, done);
  const parts = [
    html`<span data-kind="passed">${t('tests.passed', { count: counts.passed })}</span>`,
    html`<span data-kind=${counts.failed > 0 ? 'failed' : 'none'}>${t('tests.failed', { count: counts.failed })}</span>`,
    counts.skipped > 0 && html`<span data-kind="skipped">${t('tests.skipped', { count: counts.skipped })}</span>`,
    counts.unknown > 0 && html`<span data-kind="unknown">${t('tests.unknown', { count: counts.unknown })}</span>`,
    counts.reported > 0 && html`<span data-kind="reported">${t('tests.reported', { count: counts.reported })}</span>`,
  ];
  return html`
    <div class="progress-of-tests" data-running=${now.running}>
      <p class="tally"><b>${done}${now.total > 0 && html`<small> ${t('tests.of', { count: all })}</small>`}</b> ${parts}</p>
      <div class="bar" role="progressbar" aria-label=${t('tests.checks')} aria-valuemin="0" aria-valuemax=${all} aria-valuenow=${done}>
        ${['passed', 'reported', 'skipped', 'unknown', 'failed'].map((kind) => html`<i data-kind=${kind} style=${{ width: `${(100 * counts[/** @type {keyof Counts} */ (kind)]) / (all || 1)}%` }}></i>`)}
      </div>
      <p class="current">${isLost ? t('tests.lost') : now.running ? now.current || t('tests.starting') : howEnded(now, counts)}</p>
      <${Times} results=${now.results} changed=${changed} isRunning=${now.running} />
    </div>
  `;
}

/** When the run was, how long it took, and what has changed since the one before.
 * @param {{results: TestResult[], changed: ReturnType<typeof changes>, isRunning: boolean}} props */
function Times({ results, changed: { before, broken, fixed }, isRunning }) {
  const { began, ended } = knownRun(runOf(results)) ?? {};
  const times = [when(began ?? ended), began !== undefined && ended !== undefined && t('tests.took', { time: duration(ended - began) })];
  const since = before && !isRunning && (broken.size + fixed.size === 0 ? [t('tests.same')] : [broken.size > 0 && html`<b class="bad">${t('tests.broken', { count: broken.size })}</b>`, fixed.size > 0 && t('tests.fixed', { count: fixed.size })].filter(Boolean));
  return html`
    <p class="facts times">
      ${times.filter(Boolean).join(' · ')}
      ${since && html`<span class="since">${when(before.began ?? before.ended) && t('tests.since', { when: when(before.began ?? before.ended) })} ${since.map((part, at) => html`${at > 0 && ', '}${part}`)}</span>`}
    </p>
  `;
}

/** @param {import('./test-status.js').Board} now @param {Counts} counts */
function howEnded({ isCutOff }, { failed, unknown }) {
  // Of somebody else's run too it is kept how far it came.
  if (isCutOff && offer.value?.running) return t('tests.elsewhere');
  if (isCutOff) return t('tests.cut_off');
  if (failed > 0) return t('tests.ended_failed', { count: failed });
  if (unknown > 0) return t('tests.ended_unknown', { count: unknown });
  return t('tests.ended');
}

/** Those that have results, as they came, and below them, where all are wanted, those that could be played.
 * @param {{suites: Suite[], offered: SuiteEntry[], isWhole: boolean, playing: Playing, latest?: string, changed: ReturnType<typeof changes>}} props */
function Suites({ suites, offered, isWhole, playing, latest, changed }) {
  const named = new Map(offered.map((entry) => [entry.name, entry]));
  const rest = offered.filter(({ name }) => isWhole && !suites.some((suite) => suite.name === name));
  // A page that came later knows only of whom it heard last.
  const isPlayed = (/** @type {string} */ name) => (name in played.value ? played.value[name] !== null : name === latest);
  const playingOf = (/** @type {string} */ name) => (isPlayed(name) ? playing : '');
  return html`
    ${suites.map((suite) => html`<${SuiteView} key=${suite.name} suite=${suite} entry=${named.get(suite.name)} playing=${playingOf(suite.name)} changed=${changed} />`)}
    ${rest.map((entry) => html`<${SuiteView} key=${entry.name} entry=${entry} playing=${playingOf(entry.name)} changed=${changed} />`)}
  `;
}

/** @param {{suite?: Suite, entry?: SuiteEntry, playing: Playing, changed: ReturnType<typeof changes>}} props */
function SuiteView({ suite, entry, playing, changed }) {
  const [said, setSaid] = useState('');
  const name = suite?.name ?? entry?.name ?? '';
  const isBusy = playing && offer.value?.running;
  const session = played.value[name] || suite?.session;
  const facts = [entry?.file ?? suite?.file, entry?.steps && t('tests.steps', { count: entry.steps }), entry?.checks && t('tests.check_count', { count: entry.checks }), suite && suite.elapsed_ms > 0 && duration(suite.elapsed_ms)];
  return html`
    <section class="suite" data-suite=${name} aria-label=${t('tests.suite', { name })}>
      <div class="suite-head">
        <div>
          <h3>${(suite || playing) && html`<${Sign} kind=${playing || worst(/** @type {Suite} */ (suite).counts)} />`}${entry?.title ?? name}</h3>
          <p class="facts">${facts.filter(Boolean).join(' · ')}</p>
        </div>
        <p class="deeds">
          ${playing === 'running' && session && session !== ownSession && html`<a href=${address(session, '#/graph')} target="_blank" rel="noopener">${t('tests.watch')}</a>`}
          ${offer.value?.enabled && entry && !entry.error && html`<${RunButton} names=${[name]} label=${isBusy ? t('tests.running') : t('tests.run')} about=${isBusy ? undefined : t('tests.run_one', { name })} onSaid=${setSaid} />`}
        </p>
      </div>
      ${said && html`<p class="bad" role="status">${said}</p>`}
      ${entry?.error && html`<p class="bad">${entry.error}</p>`}
      ${suite && html`<${Bounded} class="steps" items=${suite.steps} more=${(/** @type {number} */ count, /** @type {number} */ all) => t('tests.more_steps', { more: count, count: all })} draw=${(/** @type {Step} */ step) => html`<${StepView} key=${step.key} step=${step} playing=${step.name === suite.last ? playing : ''} changed=${changed} />`} />`}
    </section>
  `;
}

/** @param {Counts} counts @returns {keyof Counts} */
function worst({ failed, unknown, skipped, passed }) {
  if (failed > 0) return 'failed';
  if (unknown > 0) return 'unknown';
  return passed > 0 ? 'passed' : skipped > 0 ? 'skipped' : 'reported';
}

/** Folded once it has passed. @param {{step: Step, playing: Playing, changed: ReturnType<typeof changes>}} props */
function StepView({ step, playing, changed }) {
  const [wanted, setWanted] = useState(/** @type {boolean | undefined} */ (undefined));
  const kind = worst(step.counts);
  const isOpen = wanted ?? (Boolean(playing) || kind === 'failed');
  return html`
    <li class="step" data-kind=${kind}>
      <button type="button" class="step-head" aria-expanded=${isOpen} onClick=${() => setWanted(!isOpen)}>
        <${Sign} kind=${playing || kind} />
        <span class="step-name">${step.name || t('tests.before_first')}</span>
        <small>${t('tests.check_count', { count: step.results.length })}${step.counts.failed > 0 && html`, <b class="bad">${t('tests.failed', { count: step.counts.failed })}</b>`}</small>
      </button>
      ${isOpen && html`<${Bounded} class="checks" items=${step.results} more=${(/** @type {number} */ count, /** @type {number} */ all) => t('tests.more_checks', { more: count, count: all })} draw=${(/** @type {TestResult} */ result, /** @type {number} */ at) => html`<${Check} key=${at} result=${result} changed=${changed} />`} />`}
    </li>
  `;
}

/** A list of which only so much is drawn as can be read. @param {{class: string, items: any[], more: (count: number, all: number) => string, draw: (item: any, at: number) => any}} props */
function Bounded({ class: name, items, more, draw }) {
  const [most, setMost] = useState(DRAWN);
  const rest = items.length - most;
  return html`
    <ul class=${name}>
      ${items.slice(0, most).map(draw)}
      ${rest > 0 && html`<li><button type="button" class="quiet" onClick=${() => setMost(most + DRAWN)}>${more(Math.min(rest, DRAWN), rest)}</button></li>`}
    </ul>
  `;
}

/** What has not ended may still fail, so it shows no result yet.
 * @typedef {'' | 'running' | 'unended'} Playing
 * @typedef {keyof Counts | 'running' | 'unended'} Kind */

/** @type {Record<Kind, {sign: string, word: () => string}>} */
const SIGN = {
  passed: { sign: '✓', word: () => t('tests.is_passed') },
  failed: { sign: '✗', word: () => t('tests.is_failed') },
  skipped: { sign: '–', word: () => t('tests.is_skipped') },
  unknown: { sign: '?', word: () => t('tests.is_unknown') },
  reported: { sign: '·', word: () => t('tests.is_reported') },
  running: { sign: '▸', word: () => t('tests.is_running') },
  unended: { sign: '…', word: () => t('tests.is_unended') },
};

/** @param {{kind: Kind}} props */
function Sign({ kind }) {
  return html`<span class="sign" data-kind=${kind}><span aria-hidden="true">${SIGN[kind].sign}</span><span class="sr-only">${SIGN[kind].word()}: </span></span>`;
}

/** @param {{result: TestResult, changed: ReturnType<typeof changes>}} props */
function Check({ result, changed: { broken, fixed } }) {
  const kind = kindOf(result);
  const key = keyOf(result);
  const change = broken.has(key) ? t('tests.is_broken') : fixed.has(key) ? t('tests.is_fixed') : '';
  return html`
    <li class="check" data-kind=${kind}>
      <p class="check-head">
        <span class="word" data-kind=${kind}>${SIGN[kind].sign} ${SIGN[kind].word()}</span>
        <span class="check-text">${result.check}${change && html` <span class="change" data-kind=${kind}>${change}</span>`}</span>
        <span class="time">${[result.frames !== undefined && t('trace.frames', { count: result.frames }), result.elapsed_ms !== undefined && duration(result.elapsed_ms)].filter(Boolean).join(' · ')}</span>
      </p>
      ${kind === 'failed' && html`<${Failure} result=${result} />`}
      ${kind === 'unknown' && html`<p class="facts">${t('tests.unknown_status')} <bdi>“${visible(plain(result.status))}”</bdi></p>`}
      ${(kind === 'skipped' || kind === 'unknown' || kind === 'reported') && html`<p class="facts">${result.detail || result.got}</p>`}
    </li>
  `;
}

/** @param {{result: TestResult}} props */
function Failure({ result: { expected, got, detail, file, line, path, frames, session, turn } }) {
  const facts = [file && `${file}${line ? `:${line}` : ''}`, path && t('tests.took_path', { path }), frames !== undefined && t('trace.frames', { count: frames })];
  return html`
    ${expected !== undefined && got !== undefined ? html`<${Difference} expected=${expected} got=${got} />` : html`<p class="detail">${detail}</p>`}
    <p class="facts">
      ${facts.filter(Boolean).join(' · ')}
      ${session && turn && html` <a href=${address(session, `#/turn/${turn}`)} target="_blank" rel="noopener">${t('tests.open_trace')}</a>`}
    </p>
  `;
}

/** @param {{expected: string, got: string}} props */
function Difference({ expected, got }) {
  const pieces = useMemo(() => difference(expected, got), [expected, got]);
  return html`
    <dl class="difference">
      <div><dt>${t('tests.expected')}</dt><dd>${pieces.expected.map(({ text, isMarked }) => (isMarked ? html`<del>${text}</del>` : text))}</dd></div>
      <div><dt>${t('tests.got')}</dt><dd>${got === '' ? html`<i>${t('tests.nothing')}</i>` : pieces.got.map(({ text, isMarked }) => (isMarked ? html`<ins>${text}</ins>` : text))}</dd></div>
    </dl>
  `;
}

/** The page on another session, in a window of its own. @param {string} session @param {string} hash */
function address(session, hash) {
  return `${location.pathname}?session=${encodeURIComponent(session)}${hash}`;
}
