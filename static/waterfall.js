// A turn as a waterfall: a row for each frame and each call, and a bar where it stood in the turn's time.
//
// The scale ends at a round time that changes seldom, so that bars grow calmly. A call's bar has two parts: while it waited in
// the queue, and while it was worked on.

import { html, useState } from './vendor/ui.mjs';
import { lazy } from './lazy.js';
import { list } from './coerce.js';
import { BROKEN } from './turn.js';
import { duration, number, counted } from './words.js';

/** @typedef {import('./trace.js').Shown} Shown */
/** @typedef {import('./contract.js').LiveFrame} LiveFrame */
/** @typedef {import('./contract.js').LiveCall} LiveCall */

/** Fetched when a call is opened. */
const CallDetail = lazy(async () => (await import('./calldetail.js')).CallDetail, 'calldetail.css');

/** @type {Record<string, string>} */
export const KIND = { llm: 'model', db: 'database', approval: 'approval', http: 'HTTP' };

/** @param {{turn: Shown}} props */
export function Waterfall({ turn }) {
  const scale = scaleOf(turn.until_ms);
  const calls = [...turn.frames.flatMap((frame) => list(frame.calls)), ...turn.background];
  const kinds = new Set(['llm', 'db', ...calls.map(({ kind }) => kind)]);
  return html`
    <div class="waterfall" style=${{ '--steps': scale.steps }}>
      <p class="legend" aria-label="Colours">
        <span><i data-kind="waiting"></i>waiting</span>
        ${[...kinds].map((kind) => html`<span><i data-kind=${kind}></i>${KIND[kind] ?? kind}</span>`)}
      </p>
      <p class="axis row" aria-hidden="true"><span></span><span class="ends"><span>0</span><span>${duration(scale.end)}</span></span><span>tokens</span><span>time</span></p>
      <ol class="frames">${turn.frames.map((frame) => html`<${Frame} key=${frame.frame} frame=${frame} turn=${turn} scale=${scale} />`)}</ol>
      ${turn.background.length > 0 &&
      html`<h3>After the answer</h3>
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
        <span class="name"><span class="frame-number"><span class="sr-only">Frame </span>${frame.frame}</span> <b>${frame.nodes.join(' + ')}</b></span>
        <span class="track"><${Bar} from=${frame.started_ms} length=${length} scale=${scale} kind="frame" /></span>
        <span class="tokens"></span>
        <span class="time">${duration(length)}</span>
      </p>
      ${list(frame.calls).length > 0 && html`<ul class="calls">${frame.calls.map((call) => html`<${Call} key=${call.pid} call=${call} turn=${turn} scale=${scale} now=${turn.total_ms} />`)}</ul>`}
      <p class="led" title=${frame.summary}>
        ${isRunning && 'at work'}
        ${frame.route && html`<span class="route"><span aria-hidden="true">↳ </span><span class="sr-only">Route: </span>${frame.route}</span>`}
        ${frame.summary && html` <span class="summary">${frame.summary}</span>`}
      </p>
    </li>
  `;
}

/** @param {{from: number, length: number, scale: Scale, kind: string}} props */
function Bar({ from, length, scale, kind }) {
  /** @param {number} part */
  const share = (part) => `${Math.min(100, (100 * part) / scale.end).toFixed(3)}%`;
  return html`<i data-kind=${kind} style=${{ left: `min(${share(from)}, 100% - 3px)`, width: share(length) }}></i>`;
}

/** @param {{call: LiveCall, turn: Shown, scale: Scale, now: number}} props */
function Call({ call, turn, scale, now }) {
  const [isOpen, setOpen] = useState(false);
  const isRunning = call.duration_ms === undefined;
  const length = call.duration_ms ?? Math.max(0, now - call.started_ms);
  const waited = Math.min(call.waited_ms ?? 0, length);
  const { prompt_tokens: asked, completion_tokens: said } = call.usage ?? {};
  const parts = html`
    <span class="name" title=${call.label}><i class="dot" data-kind=${call.kind}></i><span class="sr-only">${KIND[call.kind] ?? call.kind} </span>${call.label}</span>
    <span class="track">
      ${waited > length / 100 && html`<${Bar} from=${call.started_ms} length=${waited} scale=${scale} kind="waiting" />`}
      <${Bar} from=${call.started_ms + waited} length=${length - waited} scale=${scale} kind=${call.kind} />
    </span>
    <span class="tokens">${call.usage && html`<span class="sr-only">${counted(asked, 'token')} asked, ${counted(said, 'token')} answered, </span><span aria-hidden="true">${number(asked)} → ${number(said)}</span>`}</span>
    <span class="time">${waited > 0 && html`<span class="sr-only">${duration(waited)} waiting of </span>`}${duration(length)}</span>
  `;
  // What was asked and answered can be read once the turn has ended.
  const canOpen = turn.trace && !isRunning;
  return html`
    <li class="call" data-status=${call.status}>
      ${canOpen ? html`<button type="button" class="row" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${parts}</button>` : html`<p class="row">${parts}</p>`}
      ${BROKEN[call.status] && html`<p class="bad">${BROKEN[call.status]}</p>`}
      ${isOpen && html`<${CallDetail} turn=${turn.id} pid=${call.pid} />`}
    </li>
  `;
}
