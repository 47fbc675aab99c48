// A turn as a table: the same as the waterfall, for who reads numbers rather than bars, or listens.

import { html } from './vendor/ui.mjs';
import { cost, kindName, tokens } from './callwords.js';
import { list } from './coerce.js';
import { t } from './i18n.js';
import { failure, isRepeated } from './waterfall.js';
import { duration } from './words.js';

/** @typedef {import('./contract.js').LiveCall} LiveCall */

/** @param {{turn: import('./trace.js').Shown}} props */
export function TraceTable({ turn }) {
  const isPriced = Boolean(turn.usage.cost_micros);
  const heads = [t('trace.frame'), t('trace.what'), t('trace.from'), t('trace.waiting'), t('trace.working'), t('trace.tokens_column'), ...(isPriced ? [t('trace.cost_column')] : [])];
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${t('trace.frames_and_calls')}>
      <table class="trace-table">
        <thead>
          <tr>${heads.map((name) => html`<th scope="col">${name}</th>`)}</tr>
        </thead>
        <tbody>
          ${turn.frames.map(
            (frame) => html`
              <tr class="of-frame">
                <th scope="row">${frame.frame}</th>
                <td>${frame.nodes.join(' + ')}</td>
                <td>${from(frame.started_ms)}</td>
                <td></td>
                <td>${frame.duration_ms === undefined ? t('trace.at_work') : duration(frame.duration_ms)}</td>
                <td></td>
                ${isPriced && html`<td></td>`}
              </tr>
              ${list(frame.calls).map((call) => html`<${Row} turn=${turn} call=${call} place=${frame.frame} isPriced=${isPriced} />`)}
              ${(frame.route || frame.summary) && html`<tr><td></td><td class="wide" colspan=${heads.length - 1}>${[frame.route && `↳ ${frame.route}`, frame.summary].filter(Boolean).join(' · ')}</td></tr>`}
            `,
          )}
          ${turn.background.map((call) => html`<${Row} turn=${turn} call=${call} place=${t('trace.behind')} isPriced=${isPriced} />`)}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{turn: import('./trace.js').Shown, call: LiveCall, place: number | string, isPriced: boolean}} props */
function Row({ turn, call, place, isPriced }) {
  const { prompt_tokens: asked, completion_tokens: said, cost_micros: micros } = call.usage ?? {};
  const waited = call.waited_ms ?? 0;
  const failed = call.duration_ms === undefined ? '' : failure(call, turn);
  return html`
    <tr>
      <th scope="row" class="of-call">${place}</th>
      <td>${kindName(call.kind)} ${call.label}${failed && html` <b class="bad">${failed}</b>`}${isRepeated(call) && ` · ${t('call.attempts', { count: list(call.retries).length + 1 })}`}</td>
      <td>${from(call.started_ms)}</td>
      <td>${waited > 0 && duration(waited)}</td>
      <td>${call.duration_ms === undefined ? t('trace.at_work') : duration(call.duration_ms - waited)}</td>
      <td>${call.usage && tokens(asked, said)}</td>
      ${isPriced && html`<td>${cost(micros)}</td>`}
    </tr>
  `;
}

/** @param {number} milliseconds after the turn's start */
function from(milliseconds) {
  return milliseconds < 0.05 ? '0' : duration(milliseconds);
}
