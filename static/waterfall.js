// A turn as a waterfall: a row for each frame and each call, and a bar where it stood in the turn's time.
//
// The scale ends at a round time that changes seldom, so that bars grow calmly. A call's bar has two parts: while it waited in
// the queue, and while it was worked on. Where a call was made more than once, the second part is striped: when each attempt
// began isn't known.

import { html, useState } from './vendor/ui.mjs';
import { brokenName, cost, kindName, tokens } from './callwords.js';
import { t } from './i18n.js';
import { lazy } from './lazy.js';
import { list, plain } from './coerce.js';
import { duration, number } from './words.js';

/** @typedef {import('./trace.js').Shown} Shown */
/** @typedef {import('./contract.js').LiveFrame} LiveFrame */
/** @typedef {import('./contract.js').LiveCall} LiveCall */

/** Fetched when a call is opened. */
const CallDetail = lazy(async () => (await import('./calldetail.js')).CallDetail, 'calldetail.css');

/** @param {{turn: Shown}} props */
export function Waterfall({ turn }) {
  const scale = scaleOf(turn.until_ms);
  const calls = [...turn.frames.flatMap((frame) => list(frame.calls)), ...turn.background];
  const kinds = new Set(['llm', 'db', ...calls.map(({ kind }) => kind)]);
  return html`
    <div class="waterfall" style=${{ '--steps': scale.steps }}>
      <p class="legend" aria-label=${t('trace.colours')}>
        <span><i data-kind="waiting"></i>${t('call.waiting')}</span>
        ${[...kinds].map((kind) => html`<span><i data-kind=${kind}></i>${kindName(kind)}</span>`)}
        ${calls.some(isRepeated) && html`<span><i data-kind="llm" data-repeated="true"></i>${t('call.repeated')}</span>`}
        ${calls.some((call) => failure(call, turn)) && html`<span><i data-kind="failed"></i>${t('call.failed')}</span>`}
      </p>
      <p class="axis row" aria-hidden="true"><span></span><span class="ends"><span>0</span><span>${duration(scale.end)}</span></span><span>${t('trace.tokens_head')}</span><span>${t('trace.time_head')}</span></p>
      <ol class="frames">${turn.frames.map((frame) => html`<${Frame} key=${frame.frame} frame=${frame} turn=${turn} scale=${scale} />`)}</ol>
      ${turn.background.length > 0 &&
      html`<h3>${t('trace.after')}</h3>
        <ul class="calls">${turn.background.map((call) => html`<${Call} key=${call.pid} call=${call} turn=${turn} scale=${scale} now=${turn.until_ms} />`)}</ul>`}
    </div>
  `;
}

/** @typedef {{end: number, steps: number}} Scale */

/** From 0 to the next round time, in three to five steps. @param {number} total @returns {Scale} */
export function scaleOf(total) {
  const most = Math.max(total, 0.01);
  const magnitude = 10 ** Math.floor(Math.log10(most / 5));
  const step = magnitude * ([1, 2, 5, 10].find((factor) => magnitude * factor * 5 >= most) ?? 10);
  const steps = Math.max(1, Math.ceil(most / step - 1e-9));
  return { end: steps * step, steps };
}

/** The line below says where the frame led, which is known with the trace.
 * @param {{frame: LiveFrame, turn: Shown, scale: Scale}} props */
function Frame({ frame, turn, scale }) {
  const isRunning = frame.duration_ms === undefined;
  const length = frame.duration_ms ?? turn.total_ms - frame.started_ms;
  return html`
    <li class="frame" data-running=${isRunning}>
      <p class="row frame-head">
        <span class="name"><span class="frame-number"><span class="sr-only">${t('trace.frame')} </span>${frame.frame}</span> <b>${frame.nodes.join(' + ')}</b></span>
        <span class="track"><${Bar} from=${frame.started_ms} length=${length} scale=${scale} kind="frame" /></span>
        <span class="tokens"></span>
        <span class="time">${duration(length)}</span>
      </p>
      ${list(frame.calls).length > 0 && html`<ul class="calls">${frame.calls.map((call) => html`<${Call} key=${call.pid} call=${call} turn=${turn} scale=${scale} now=${turn.total_ms} />`)}</ul>`}
      <p class="led" title=${frame.summary}>
        ${isRunning && t('trace.at_work')}
        ${frame.route && html`<span class="route"><span aria-hidden="true">↳ </span><span class="sr-only">${t('trace.route')} </span>${frame.route}</span>`}
        ${frame.summary && html` <span class="summary">${frame.summary}</span>`}
      </p>
    </li>
  `;
}

/** @param {{from: number, length: number, scale: Scale, kind: string, isRepeated?: boolean}} props */
function Bar({ from, length, scale, kind, isRepeated: repeated = false }) {
  /** @param {number} part */
  const share = (part) => `${Math.min(100, (100 * part) / scale.end).toFixed(3)}%`;
  return html`<i data-kind=${kind} data-repeated=${repeated} style=${{ left: `min(${share(from)}, 100% - 3px)`, width: share(length) }}></i>`;
}

/** @param {LiveCall} call */
export function isRepeated(call) {
  return list(call.retries).length > 0;
}

/** What went wrong with a call, in a sentence; a statement that the database refused has failed as well. Empty where nothing did.
 * @param {LiveCall} call @param {Shown} turn */
export function failure(call, turn) {
  const full = turn.full?.calls.get(call.pid);
  const refused = full?.reply?.database?.Refused;
  if (refused) return t('call.refused', { why: plain(refused.message) });
  if (call.status === 'error') return [call.code, plain(full?.answer)].filter(Boolean).join(': ') || brokenName(call.status);
  return brokenName(call.status);
}

/** @param {{call: LiveCall, turn: Shown, scale: Scale, now: number}} props */
function Call({ call, turn, scale, now }) {
  const [isOpen, setOpen] = useState(false);
  const isRunning = call.duration_ms === undefined;
  const length = call.duration_ms ?? Math.max(0, now - call.started_ms);
  const waited = Math.min(call.waited_ms ?? 0, length);
  const { prompt_tokens: asked, completion_tokens: said, cost_micros: micros } = call.usage ?? {};
  const failed = isRunning ? '' : failure(call, turn);
  const reason = turn.full?.reasons[call.pid];
  const kind = failed && call.status !== 'cancelled' ? 'failed' : call.kind;
  const parts = html`
    <span class="name" title=${call.label}><i class="dot" data-kind=${call.kind}></i><span class="sr-only">${kindName(call.kind)} </span>${call.label}</span>
    <span class="track">
      ${waited > length / 100 && html`<${Bar} from=${call.started_ms} length=${waited} scale=${scale} kind="waiting" />`}
      <${Bar} from=${call.started_ms + waited} length=${length - waited} scale=${scale} kind=${kind} isRepeated=${isRepeated(call)} />
    </span>
    <span class="tokens">${call.usage && html`<span class="sr-only">${t('call.tokens_said', { asked: number(asked), said: number(said) })} </span><span aria-hidden="true">${tokens(asked, said)}</span>`}</span>
    <span class="time">${waited > 0 && html`<span class="sr-only">${t('call.waiting_of', { time: duration(waited) })} </span>`}${duration(length)}</span>
  `;
  // What was asked and answered can be read once the turn has ended.
  const canOpen = turn.trace && !isRunning;
  return html`
    <li class="call" data-status=${kind === 'failed' ? 'error' : call.status}>
      ${canOpen ? html`<button type="button" class="row" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${parts}</button>` : html`<p class="row">${parts}</p>`}
      ${failed && html`<p class="bad">${failed}</p>`}
      ${reason && html`<p class="why">${t('call.asked_again', { why: reason })}</p>`}
      ${isRepeated(call) && html`
        <p class="why">${t('call.attempts', { count: list(call.retries).length + 1 })}</p>
        <ol class="why">${list(call.retries).map((why) => html`<li>${why}</li>`)}</ol>
      `}
      ${isOpen && html`<${CallDetail} turn=${turn} call=${call} cost=${cost(micros)} />`}
    </li>
  `;
}
