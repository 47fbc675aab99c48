// One turn: what was asked, what was said while working, the answer with its results, and the footer that leads to its trace.

import { html, useMemo, useRef, useState } from './vendor/ui.mjs';
import { CopyButton, Pencil } from './buttons.js';
import { isPending, isWordless } from './conversation.js';
import { language, t } from './i18n.js';
import { lazy } from './lazy.js';
import { endedBefore, shown, traces } from './live.js';
import { openTurn, turnAddress } from './route.js';
import { retry } from './session.js';
import { duration, unturned } from './words.js';
import { Strip, Working } from './working.js';

/** @typedef {import('./conversation.js').Turn} Turn */
/** @typedef {import('./contract.js').Control} Control */
/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./i18n.js').Key} Key */

/** Fetched with the first question, so that it is there when the answer comes. */
const Answer = lazy(async () => {
  // All at once, so that none waits for another to be read.
  const [{ Answer }] = await Promise.all([import('./answer.js'), import('./markdown.js'), import('./vendor/prose.mjs')]);
  return Answer;
});

const Results = lazy(async () => (await import('./card.js')).Results, 'controls.css');
const Earlier = lazy(async () => (await import('./earlier.js')).Earlier);
const Editor = lazy(async () => (await import('./versions.js')).Editor, 'versions.css');
const Versions = lazy(async () => (await import('./versions.js')).Versions, 'versions.css');
const Feedback = lazy(async () => (await import('./feedback.js')).Feedback, 'feedback.css');

/** @param {{turn: Turn, isIdle: boolean, isLast: boolean}} props `isIdle`: nothing runs or waits */
export function TurnView({ turn, isIdle, isLast }) {
  const trace = traces.value[turn.id];
  const open = openTurn.value === turn.id;
  const results = useResults(turn);
  Answer.ahead();
  const isBusy = turn.status === 'running' || (!!turn.answer && !Answer.isHere());
  return useMemo(() => drawn(turn, trace, results, open, isBusy, isIdle, isLast), [turn, trace, results, open, isBusy, isIdle, isLast, language.value]);
}

/** What was drawn once stays, whatever the server still has. @param {Turn} turn @returns {Control[] | undefined} */
function useResults({ id, status }) {
  /** @type {{current: Control[] | undefined}} */
  const drawnBefore = useRef(undefined);
  const now = shown.value.byTurn[id];
  if (now && status !== 'running') drawnBefore.current = now;
  return now ?? drawnBefore.current;
}

/** @param {Turn} turn @param {Trace | undefined} trace @param {Control[] | undefined} results @param {boolean} open
 * @param {boolean} isBusy it runs, or its answer can't be drawn yet @param {boolean} isIdle @param {boolean} isLast */
function drawn(turn, trace, results, open, isBusy, isIdle, isLast) {
  // One that is on its way to the server may be there already.
  const canEdit = turn.kind === 'message' && (isPending(turn) ? turn.status !== 'sent' : isIdle && turn.id !== '');
  const isWorking = (turn.status === 'running' && !turn.isQueued) || turn.status === 'sent';
  const canRetry = isLast && turn.id !== '';
  return html`
    <article class=${isWordless(turn) ? 'turn wordless' : 'turn'} data-status=${turn.isQueued ? 'queued' : turn.status} data-turn=${turn.id} data-gone=${turn.isGone} aria-busy=${isBusy}>
      <${Question} turn=${turn} canEdit=${canEdit} />
      ${turn.progress && html`<${Progress} turn=${turn} trace=${trace} results=${results} />`}
      ${turn.answer && html`<${Answer} text=${turn.answer} isGrowing=${turn.status === 'running'} />`}
      ${results && html`<${Results} displays=${results} />`}
      ${!results && endedBefore.has(turn.id) && html`<${Earlier} id=${turn.id} />`}
      ${turn.error && html`<${Failure} turn=${turn} canRetry=${canRetry} />`}
      ${isWorking ? html`<${Working} id=${turn.id} />` : html`<${Foot} turn=${turn} trace=${trace} open=${open} canRetry=${canRetry && !turn.error} />`}
      ${turn.variants.length > 0 && html`<${Versions} variants=${turn.variants} />`}
    </article>
  `;
}

/** @param {{turn: Turn, canEdit: boolean}} props */
function Question({ turn, canEdit }) {
  const [isEdited, setEdited] = useState(false);
  if (turn.question === null) return null;
  if (turn.kind === 'action') return html`<p class="pressed"><span class="sr-only">${t('chat.pressed')} </span><b dir="auto">${unturned(turn.question)}</b></p>`;
  if (isEdited) return html`<${Editor} turn=${turn} onEnd=${() => setEdited(false)} />`;
  const label = t('chat.edit');
  return html`
    <div class="asked">
      ${canEdit && html`<button type="button" class="quiet copy edit" aria-label=${label} title=${label} onClick=${() => setEdited(true)}><${Pencil} /></button>`}
      <p class="question" dir="auto"><span class="sr-only" dir="ltr">${t('chat.you')} </span>${turn.question}</p>
    </div>
  `;
}

/** What an expert reports while it works. With the answer it becomes one line, which opens again.
 * @param {{turn: Turn, trace: Trace | undefined, results: Control[] | undefined}} props */
function Progress({ turn, trace, results }) {
  const [isChosen, setChosen] = useState(/** @type {boolean | undefined} */ (undefined));
  const isOver = turn.status !== 'running' || turn.answer !== '';
  const isOpen = isChosen ?? !isOver;
  const text = html`<p class="progress-said" dir="auto"><span class="sr-only" dir="ltr">${t('chat.whileWorking')} </span>${unturned(turn.progress.trim())}</p>`;
  if (!isOver) return text;
  return html`
    <div class="progress-over">
      <button type="button" class="quiet chip" aria-expanded=${isOpen} onClick=${() => setChosen(!isOpen)}>${workDone(turn, trace, results)}</button>
      ${isOpen && text}
    </div>
  `;
}

/** `4 steps · 5 rows · 0.3 s`, as far as it is known. @param {Turn} turn @param {Trace | undefined} trace @param {Control[]} [results] */
function workDone({ progress, rows: counted }, trace, results) {
  const rows = counted ?? rowsOf(results);
  const steps = progress.split('\n').filter((line) => line.trim()).length;
  // Of the frames in which something else than a model was called.
  const worked = trace?.frames.filter(({ calls }) => calls.some(({ kind }) => kind !== 'llm')) ?? [];
  const ms = worked.length > 0 ? worked.reduce((sum, frame) => sum + frame.duration_ms, 0) : undefined;
  return [t('chat.steps', { count: steps }), rows !== undefined && t('chat.rows', { count: rows }), duration(ms)].filter(Boolean).join(' · ');
}

/** @param {any[]} [results] */
function rowsOf(results) {
  const counts = results?.filter(({ sql }) => sql).map(({ rows, x }) => (rows ?? x)?.length ?? 0) ?? [];
  return counts.length > 0 ? counts.reduce((sum, count) => sum + count, 0) : undefined;
}

/** @param {{turn: Turn, canRetry: boolean}} props */
function Failure({ turn, canRetry }) {
  return html`
    <div class="failed">
      <p class="failure" dir="auto">${unturned(turn.error ?? '')}</p>
      ${canRetry && html`<${Again} id=${turn.id} />`}
    </div>
  `;
}

/** @param {{id: string}} props */
function Again({ id }) {
  /** @param {MouseEvent} event */
  async function again(event) {
    // A key was pressed: the button goes away with its turn, so its focus needs a place. On a phone that would open the keyboard.
    if ((await retry(id)) && event.detail === 0) document.getElementById('message')?.focus();
  }
  return html`<button type="button" class="quiet again" onClick=${again}>${t('chat.again')}</button>`;
}

/** @type {Partial<Record<import('./conversation.js').Status, Key>>} */
const SAID = {
  unsent: 'chat.unsent',
  waiting: 'chat.queued',
  running: 'chat.queued',
  stopped: 'chat.stopped',
  failed: 'chat.failed',
  partial: 'chat.partial',
};

/** How a trace says it. @type {Record<string, import('./conversation.js').Status>} */
export const BROKEN = { cancelled: 'stopped', error: 'failed' };

/** @param {{turn: Turn, trace?: Trace, open: boolean, canRetry: boolean}} props */
function Foot({ turn, trace, open, canRetry }) {
  // The history says only that an answer broke off; its trace says why.
  const broken = turn.status === 'partial' && trace ? BROKEN[trace.status] : undefined;
  const said = turn.isGone ? 'chat.gone' : SAID[broken ?? turn.status];
  if (!said && !trace && !turn.answer) return null;
  return html`
    <p class="foot">
      ${said && html`<span class="said">${t(said)}</span>`}
      ${trace && html`<${TraceLink} trace=${trace} open=${open} />`}
      ${turn.answer && html`<${CopyButton} text=${() => turn.answer} label=${t('chat.copyAnswer')} />`}
      ${canRetry && html`<${Again} id=${turn.id} />`}
      ${turn.answer && turn.id && html`<${Feedback} id=${turn.id} />`}
    </p>
  `;
}

/** @param {{trace: Trace, open: boolean}} props */
function TraceLink({ trace, open }) {
  const facts = [trace.path, t('chat.frames', { count: trace.total_frames }), duration(trace.total_ms)];
  return html`
    <a class="trace-link" href=${turnAddress(trace.id)} aria-current=${open ? 'true' : undefined} title=${t('chat.howMade')}>
      <${Strip} frames=${trace.frames ?? []} />
      <span>${facts.filter(Boolean).join(' · ')}</span>
    </a>
  `;
}
