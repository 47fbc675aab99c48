// A turn's trace: its frames in order, what each did and where it led, and the calls that it made.
//
// The track beside a frame places it in the turn's time: the frame as a bar, its calls as darker pieces within.

import { html, useEffect } from './vendor/ui.mjs';
import { readTrace, traces } from './session.js';
import { counted, duration, number } from './words.js';

/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').Frame} FrameRecord */
/** @typedef {import('./contract.js').Call} CallRecord */

/** @param {{id: string}} props */
export function TraceView({ id }) {
  useEffect(() => readTrace(id), [id]);
  const trace = traces.value[id];
  if (!trace) return html`<p class="hint">There is no trace of ${id}. The traces of the last 20 turns are kept, from their end.</p>`;
  return html`
    <p class="trace-message">${trace.message}</p>
    <${Facts} trace=${trace} />
    <ol class="frames">${trace.frames.map((frame) => html`<${Frame} frame=${frame} total=${trace.total_ms} />`)}</ol>
    ${trace.background && trace.background.length > 0 &&
    html`<h3>After the answer</h3><ul class="calls">${trace.background.map((call) => html`<${Call} call=${call} />`)}</ul>`}
  `;
}

/** @param {{trace: Trace}} props */
function Facts({ trace }) {
  const tokens = trace.usage?.total_tokens;
  const facts = [trace.path, counted(trace.total_frames, 'frame'), duration(trace.total_ms), tokens && counted(tokens, 'token')];
  return html`
    <p class="facts">
      ${facts.filter(Boolean).join(' · ')}
      ${trace.status !== 'done' && html` · <b class="bad">${trace.status}</b>`}
      <br />${trace.graph}
    </p>
  `;
}

/** @param {{frame: FrameRecord, total: number}} props */
function Frame({ frame, total }) {
  return html`
    <li class="frame">
      <p class="frame-head">
        <span class="frame-number"><span class="sr-only">Frame </span>${frame.frame}</span>
        <b>${frame.nodes.join(' + ')}</b>
        <span class="time">${duration(frame.duration_ms)}</span>
      </p>
      <${Track} frame=${frame} total=${total} />
      ${frame.summary && html`<p class="summary">${frame.summary}</p>`}
      ${frame.calls?.length > 0 && html`<ul class="calls">${frame.calls.map((call) => html`<${Call} call=${call} />`)}</ul>`}
      ${frame.route && html`<p class="route"><span aria-hidden="true">↳ </span><span class="sr-only">Route: </span>${frame.route}</p>`}
    </li>
  `;
}

/** @param {{frame: FrameRecord, total: number}} props */
function Track({ frame, total }) {
  return html`
    <div class="track" aria-hidden="true">
      <${Bar} from=${frame.started_ms} length=${frame.duration_ms} total=${total} kind="frame" />
      ${(frame.calls ?? []).map((call) => html`<${Bar} from=${call.started_ms} length=${call.duration_ms} total=${total} kind=${call.kind} />`)}
    </div>
  `;
}

/** @param {{from: number, length: number, total: number, kind: string}} props */
function Bar({ from, length, total, kind }) {
  /** @param {number} part */
  const share = (part) => `${Math.min(100, (100 * part) / (total || 1))}%`;
  return html`<i data-kind=${kind} style=${{ left: `min(${share(from)}, 100% - 3px)`, width: share(length) }}></i>`;
}

/** @type {Record<string, string>} */
const KIND = { llm: 'model', db: 'database', http: 'HTTP' };

/** @param {{call: CallRecord}} props */
function Call({ call }) {
  const { prompt_tokens: asked, completion_tokens: said } = call.usage ?? {};
  return html`
    <li class="call">
      <span class="kind" data-kind=${call.kind}>${KIND[call.kind] ?? call.kind}</span>
      <span>${call.label}</span>
      ${call.status !== 'done' && html`<b class="bad">${call.status}</b>`}
      <span class="time">
        ${call.usage && html`<span title="tokens asked and answered">${number(asked ?? 0)} → ${number(said ?? 0)} tok · </span>`}${duration(call.duration_ms)}
      </span>
    </li>
  `;
}
