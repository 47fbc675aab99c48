// One turn: what was asked, what was said while working, the answer, and the footer that leads to its trace.

import { html, useMemo } from './vendor/ui.mjs';
import { CopyButton } from './buttons.js';
import { lazy } from './lazy.js';
import { traces } from './live.js';
import { openTurn, turnAddress } from './route.js';
import { counted, duration, unturned } from './words.js';

/** @typedef {import('./conversation.js').Turn} Turn */
/** @typedef {import('./contract.js').Trace} Trace */

/** Fetched with the first question, so that it is there when the answer comes. */
const Answer = lazy(async () => {
  // All at once, so that none waits for another to be read.
  const [{ Answer }] = await Promise.all([import('./answer.js'), import('./markdown.js'), import('./vendor/prose.mjs')]);
  return Answer;
});

const Feedback = lazy(async () => (await import('./feedback.js')).Feedback, 'feedback.css');

/** @param {{turn: Turn}} props */
export function TurnView({ turn }) {
  const trace = traces.value[turn.id];
  const open = openTurn.value === turn.id;
  Answer.ahead();
  const isBusy = turn.status === 'running' || (!!turn.answer && !Answer.isHere());
  return useMemo(() => drawn(turn, trace, open, isBusy), [turn, trace, open, isBusy]);
}

/** @param {Turn} turn @param {Trace | undefined} trace @param {boolean} open @param {boolean} isBusy it runs, or its answer can't be drawn yet */
function drawn(turn, trace, open, isBusy) {
  const isWordless = turn.kind === 'action' && turn.status === 'done' && !turn.answer && !turn.progress;
  return html`
    <article class=${isWordless ? 'turn wordless' : 'turn'} data-status=${turn.status} data-turn=${turn.id} aria-busy=${isBusy}>
      <${Question} turn=${turn} />
      ${turn.progress && html`<p class="progress-said" dir="auto"><span class="sr-only" dir="ltr">While working: </span>${unturned(turn.progress.trim())}</p>`}
      ${turn.answer && html`<${Answer} text=${turn.answer} isGrowing=${turn.status === 'running'} />`}
      ${turn.status === 'running' && !turn.answer && html`<${Working} />`}
      ${turn.error && html`<p class="failure" dir="auto">${unturned(turn.error)}</p>`}
      <${Foot} turn=${turn} trace=${trace} open=${open} />
    </article>
  `;
}

/** @param {{turn: Turn}} props */
function Question({ turn }) {
  if (turn.question === null) return null;
  if (turn.kind === 'action') return html`<p class="pressed"><span class="sr-only">You pressed </span><b dir="auto">${unturned(turn.question)}</b></p>`;
  return html`<p class="question" dir="auto"><span class="sr-only" dir="ltr">You: </span>${turn.question}</p>`;
}

function Working() {
  return html`<p class="working"><span class="sr-only">Working on it</span><i></i><i></i><i></i><i></i></p>`;
}

/** @type {Partial<Record<import('./conversation.js').Status, string>>} */
const SAID = {
  unsent: 'will be sent once connected',
  waiting: 'waiting for its turn',
  stopped: 'stopped',
  failed: 'failed',
  partial: 'broken off',
};

/** How a trace says it. @type {Record<string, import('./conversation.js').Status>} */
export const BROKEN = { cancelled: 'stopped', error: 'failed' };

/** @param {{turn: Turn, trace?: Trace, open: boolean}} props */
function Foot({ turn, trace, open }) {
  // The history says only that an answer broke off; its trace says why.
  const broken = turn.status === 'partial' && trace ? BROKEN[trace.status] : undefined;
  const said = SAID[broken ?? turn.status];
  if (!said && !trace && !turn.answer) return null;
  return html`
    <p class="foot">
      ${said && html`<span class="said">${said}</span>`}
      ${trace && html`<${TraceLink} trace=${trace} open=${open} />`}
      ${turn.answer && turn.status !== 'running' && html`<${CopyButton} text=${() => turn.answer} label="Copy the answer" />`}
      ${turn.answer && turn.id && turn.status !== 'running' && html`<${Feedback} id=${turn.id} />`}
    </p>
  `;
}

/** The strip shows a square per frame, filled where a call was made. @param {{trace: Trace, open: boolean}} props */
function TraceLink({ trace, open }) {
  const frames = trace.frames ?? [];
  return html`
    <a class="trace-link" href=${turnAddress(trace.id)} aria-current=${open ? 'true' : undefined} title="Show how this answer was made">
      <span class="strip" aria-hidden="true">${frames.map((frame) => html`<i class=${frame.calls?.length ? 'call' : ''}></i>`)}</span>
      <span>${[trace.path, counted(trace.total_frames, 'frame'), duration(trace.total_ms)].filter(Boolean).join(' · ')}</span>
    </a>
  `;
}
