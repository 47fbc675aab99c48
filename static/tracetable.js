// A turn as a table: the same as the waterfall, for who reads numbers rather than bars, or listens.

import { html } from './vendor/ui.mjs';
import { list } from './coerce.js';
import { BROKEN } from './turn.js';
import { KIND } from './waterfall.js';
import { duration, number } from './words.js';

/** @typedef {import('./contract.js').LiveCall} LiveCall */

/** @param {{turn: import('./trace.js').Shown}} props */
export function TraceTable({ turn }) {
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Frames and calls">
      <table class="trace-table">
        <thead>
          <tr>${['Frame', 'What', 'From', 'Waiting', 'Working', 'Tokens'].map((name) => html`<th scope="col">${name}</th>`)}</tr>
        </thead>
        <tbody>
          ${turn.frames.map(
            (frame) => html`
              <tr class="of-frame">
                <th scope="row">${frame.frame}</th>
                <td>${frame.nodes.join(' + ')}</td>
                <td>${from(frame.started_ms)}</td>
                <td></td>
                <td>${frame.duration_ms === undefined ? 'at work' : duration(frame.duration_ms)}</td>
                <td></td>
              </tr>
              ${list(frame.calls).map((call) => html`<${Row} call=${call} place=${frame.frame} />`)}
              ${(frame.route || frame.summary) && html`<tr><td></td><td class="wide" colspan="5">${[frame.route && `↳ ${frame.route}`, frame.summary].filter(Boolean).join(' · ')}</td></tr>`}
            `,
          )}
          ${turn.background.map((call) => html`<${Row} call=${call} place="after" />`)}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{call: LiveCall, place: number | string}} props */
function Row({ call, place }) {
  const { prompt_tokens: asked, completion_tokens: said } = call.usage ?? {};
  const waited = call.waited_ms ?? 0;
  return html`
    <tr>
      <th scope="row" class="of-call">${place}</th>
      <td>${KIND[call.kind] ?? call.kind} ${call.label}${BROKEN[call.status] && html` <b class="bad">${BROKEN[call.status]}</b>`}</td>
      <td>${from(call.started_ms)}</td>
      <td>${waited > 0 && duration(waited)}</td>
      <td>${call.duration_ms === undefined ? 'at work' : duration(call.duration_ms - waited)}</td>
      <td>${call.usage && `${number(asked)} → ${number(said)}`}</td>
    </tr>
  `;
}

/** @param {number} milliseconds after the turn's start */
function from(milliseconds) {
  return milliseconds < 0.05 ? '0' : duration(milliseconds);
}
