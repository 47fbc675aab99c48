// One turn: what was asked, what was said while working, the answer, and the footer that leads to its trace.

import { html, useMemo, useState } from './vendor/ui.mjs';
import { CopyButton, Pencil } from './buttons.js';
import { isPending, isWordless } from './conversation.js';
import { lazy } from './lazy.js';
import { traces } from './live.js';
import { openTurn, turnAddress } from './route.js';
import { retry } from './session.js';
import { counted, duration, unturned } from './words.js';

/** @typedef {import('./conversation.js').Turn} Turn */
/** @typedef {import('./contract.js').Trace} Trace */

/** Fetched with the first question, so that it is there when the answer comes. */
const Answer = lazy(async () => {
  // All at once, so that none waits for another to be read.
  const [{ Answer }] = await Promise.all([import('./answer.js'), import('./markdown.js'), import('./vendor/prose.mjs')]);
  return Answer;
});

const Editor = lazy(async () => (await import('./versions.js')).Editor, 'versions.css');
const Versions = lazy(async () => (await import('./versions.js')).Versions, 'versions.css');
const Feedback = lazy(async () => (await import('./feedback.js')).Feedback, 'feedback.css');

/** @param {{turn: Turn, isIdle: boolean, isLast: boolean}} props `isIdle`: nothing runs or waits */
export function TurnView({ turn, isIdle, isLast }) {
  const trace = traces.value[turn.id];
  const open = openTurn.value === turn.id;
  Answer.ahead();
  const isBusy = turn.status === 'running' || (!!turn.answer && !Answer.isHere());
  return useMemo(() => drawn(turn, trace, open, isBusy, isIdle, isLast), [turn, trace, open, isBusy, isIdle, isLast]);
}

/** @param {Turn} turn @param {Trace | undefined} trace @param {boolean} open @param {boolean} isBusy it runs, or its answer can't be drawn yet
 * @param {boolean} isIdle @param {boolean} isLast */
function drawn(turn, trace, open, isBusy, isIdle, isLast) {
  // One that is on its way to the server may be there already.
  const canEdit = turn.kind === 'message' && (isPending(turn) ? turn.status !== 'sent' : isIdle && turn.id !== '');
  return html`
    <article class=${isWordless(turn) ? 'turn wordless' : 'turn'} data-status=${turn.status} data-turn=${turn.id} aria-busy=${isBusy}>
      <${Question} turn=${turn} canEdit=${canEdit} />
      ${turn.progress && html`<p class="progress-said" dir="auto"><span class="sr-only" dir="ltr">While working: </span>${unturned(turn.progress.trim())}</p>`}
      ${turn.answer && html`<${Answer} text=${turn.answer} isGrowing=${turn.status === 'running'} />`}
      ${turn.status === 'running' && !turn.answer && html`<${Working} />`}
      ${turn.error && html`<p class="failure" dir="auto">${unturned(turn.error)}</p>`}
      <${Foot} turn=${turn} trace=${trace} open=${open} canRetry=${isLast && turn.id !== ''} />
      ${turn.variants.length > 0 && html`<${Versions} variants=${turn.variants} />`}
    </article>
  `;
}

/** @param {{turn: Turn, canEdit: boolean}} props */
function Question({ turn, canEdit }) {
  const [isEdited, setEdited] = useState(false);
  if (turn.question === null) return null;
  if (turn.kind === 'action') return html`<p class="pressed"><span class="sr-only">You pressed </span><b dir="auto">${unturned(turn.question)}</b></p>`;
  if (isEdited) return html`<${Editor} turn=${turn} onEnd=${() => setEdited(false)} />`;
  const label = 'Edit this message';
  return html`
    <div class="asked">
      ${canEdit && html`<button type="button" class="quiet copy edit" aria-label=${label} title=${label} onClick=${() => setEdited(true)}><${Pencil} /></button>`}
      <p class="question" dir="auto"><span class="sr-only" dir="ltr">You: </span>${turn.question}</p>
    </div>
  `;
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

/** @param {{turn: Turn, trace?: Trace, open: boolean, canRetry: boolean}} props */
function Foot({ turn, trace, open, canRetry }) {
  // The history says only that an answer broke off; its trace says why.
  const broken = turn.status === 'partial' && trace ? BROKEN[trace.status] : undefined;
  const said = SAID[broken ?? turn.status];
  if (!said && !trace && !turn.answer) return null;
  return html`
    <p class="foot">
      ${said && html`<span class="said">${said}</span>`}
      ${trace && html`<${TraceLink} trace=${trace} open=${open} />`}
      ${turn.answer && turn.status !== 'running' && html`<${CopyButton} text=${() => turn.answer} label="Copy the answer" />`}
      ${canRetry && html`<button type="button" class="quiet again" onClick=${() => retry(turn.id)}>Try again</button>`}
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
