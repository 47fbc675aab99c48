// What the conversation shows beside its text: displays to read, buttons to press, and what waits to be approved.
//
// The list is flat: the last answer's controls, then each machine's content and buttons, then approvals. It is drawn in groups, one for
// the answer, one for each machine, and one for each approval. A model wrote what stands in a display, so everything may be missing or odd.

import { html, useState } from './vendor/ui.mjs';
import { Chart } from './chart.js';
import { list, plain } from './coerce.js';
import { beside, decide, memory, press } from './session.js';
import { Table, copied } from './table.js';
import { amount, digits, isMissing, measured, percentage } from './values.js';
import { unturned, visible } from './words.js';

export function Controls() {
  const { controls, machines, uiState } = beside.value;
  if (controls.length === 0) return null;
  const approvals = controls.filter(({ type }) => type === 'approval');
  const others = controls.filter(({ type }) => type !== 'approval');
  return html`
    <section class="controls" aria-label="Controls">
      ${grouped(others, machines).map((group) => html`<${Group} key=${group.id} group=${group} uiState=${uiState} />`)}
      <div class="approvals" aria-live="polite">
        ${approvals.map((approval) => html`<${Approval} key=${approval.source} approval=${approval} />`)}
      </div>
    </section>
  `;
}

/** What a turn waits to have approved, in full, and until when it waits. @param {{approval: any}} props */
function Approval({ approval }) {
  const [isSent, setSent] = useState(false);
  const { node, tool, database, text, expires_at: expires, buttons, source } = approval;
  const what = [tool ? `call ${tool}` : 'begin', database && `on ${database}`].filter(Boolean).join(' ');
  const label = visible(`${plain(node)} wants to ${what}`);
  /** @param {any} button */
  async function send(button) {
    setSent(true);
    if (!(await decide(button))) setSent(false);
  }
  return html`
    <div class="group approval" role="group" aria-label=${label} data-source=${source}>
      <p class="label" dir="auto">${label}. Waits for your approval until ${until(expires)}.</p>
      <pre tabindex="0" aria-label="What is to be done"><code>${visible(plain(text))}</code></pre>
      <div class="buttons">
        ${list(buttons).map((button) => html`<button type="button" class="plain control" data-action=${button.action} disabled=${isSent} onClick=${() => send(button)}>${visible(plain(button.label))}</button>`)}
      </div>
    </div>
  `;
}

/** @param {number} time milliseconds since the epoch */
function until(time) {
  return new Date(time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

/** @typedef {import('./contract.js').Control} Control */
/** @typedef {{id: string, state: string, controls: Control[]}} ControlGroup  `id` is empty for the answer's own */

/** Takes the machines' parts off the end of the list, whose order is theirs.
 * @param {Control[]} controls @param {import('./contract.js').Machine[]} machines @returns {ControlGroup[]} */
export function grouped(controls, machines) {
  let end = controls.length;
  /** @type {ControlGroup[]} */
  const groups = [];
  for (const machine of machines.toReversed()) {
    const state = list(machine.states).find(({ name }) => name === machine.current);
    const size = list(state?.buttons).length + list(state?.content).length;
    groups.unshift({ id: machine.id, state: machine.current, controls: controls.slice(end - size, end) });
    end -= size;
  }
  groups.unshift({ id: '', state: '', controls: controls.slice(0, Math.max(0, end)) });
  return groups.filter((group) => group.controls.length > 0);
}

/** @param {{group: ControlGroup, uiState: Record<string, unknown>}} props */
function Group({ group, uiState }) {
  const displays = group.controls.filter((control) => control.type !== 'button');
  const buttons = group.controls.filter((control) => control.type === 'button');
  return html`
    <div class="group" data-machine=${group.id || undefined} role="group" aria-label=${group.id ? `Machine ${group.id}` : 'Controls of the answer'}>
      ${group.id && html`<p class="machine-name" aria-live="polite"><bdi>${spaced(group.id)}</bdi> <b dir="auto">${spaced(group.state)}</b></p>`}
      ${displays.length > 0 && html`<div class="displays" aria-live=${group.id ? 'polite' : undefined}>${displays.map((display) => html`<${Display} display=${bound(display, uiState)} />`)}</div>`}
      ${buttons.length > 0 && html`<div class="buttons">${buttons.map((button) => html`<${Button} button=${button} />`)}</div>`}
    </div>
  `;
}

/** @param {string} name */
function spaced(name) {
  return visible(plain(name)).replaceAll('_', ' ');
}

/** @param {{button: any}} props */
function Button({ button }) {
  return html`<button type="button" class="plain control" dir="auto" data-action=${button.action} onClick=${() => press(button)}>${unturned(plain(button.label ?? button.action))}</button>`;
}

/** What each kind of display shows first; a bound value takes its place. @type {Record<string, string>} */
const MAIN = { text: 'text', value: 'value', progress: 'value', table: 'rows', chart: 'series' };

/** A display with the value that its key is bound to. An object may give several fields at once.
 * @param {any} display @param {Record<string, any>} uiState */
export function bound(display, uiState) {
  const value = display.key ? uiState[display.key] : undefined;
  if (value === undefined) return display;
  const isFields = value !== null && typeof value === 'object' && !Array.isArray(value);
  return isFields ? { ...display, ...value, type: display.type } : { ...display, [MAIN[display.type]]: value };
}

/** A display, and below it where its rows come from: whether they are cut or sample data, and the SQL for who asks for it.
 * @param {{display: any}} props */
function Display({ display }) {
  const origin = [display.sample && 'Sample data', visible(plain(display.note))].filter(Boolean).join(' · ');
  return html`
    <${Shown} display=${display} />
    ${origin && html`<p class="label" dir="auto">${origin}</p>`}
    ${display.sql && html`<details class="origin"><summary>SQL</summary><pre tabindex="0"><code>${visible(plain(display.sql))}</code></pre></details>`}
  `;
}

/** Numbers follow the language of the answer that a display came with, else the one that the user writes. @param {{display: any}} props */
function Shown({ display }) {
  const label = visible(plain(display.label ?? display.key));
  const language = plain(display.language || memory.value.language);
  switch (display.type) {
    case 'text':
      return html`<div class="display text">${label && html`<${Label} text=${label} />`}<p dir="auto">${unturned(plain(display.text ?? display.value))}</p></div>`;
    case 'value':
      return html`<div class="display value">${label && html`<${Label} text=${label} />`}<${Figure} value=${display.value} unit=${visible(plain(display.unit))} language=${language} /></div>`;
    case 'progress':
      return html`<${Progress} display=${display} label=${label || 'Progress'} language=${language} />`;
    case 'table':
      return html`<figure class="display table">${label && html`<figcaption class="label" dir="auto">${label}</figcaption>`}<${Table} columns=${display.columns} rows=${display.rows} label=${label || 'Table'} language=${language} amounts=${list(display.decimals)} /></figure>`;
    case 'chart':
      return html`<${Chart} display=${display} label=${label} language=${language} />`;
    default:
      return null;
  }
}

/** @param {{text: string}} props */
function Label({ text }) {
  return html`<p class="label" dir="auto">${text}</p>`;
}

/** One value, large. A unit says that it measures something. @param {{value: any, unit: string, language: string}} props */
function Figure({ value, unit, language }) {
  const exact = plain(value);
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  const isMeasure = unit !== '' && measured(value) !== undefined;
  const text = isMeasure ? amount(value, language) : isNumber ? digits(value, language) : visible(exact);
  return html`
    <p class="number" dir="auto" onCopy=${copied}>
      ${isMissing(value) ? '–' : html`<span title=${text === exact ? undefined : visible(exact)} data-exact=${exact}>${text}</span>`}${unit && html` <small>${unit}</small>`}
    </p>
  `;
}

/** Without `max`, a part of one. What isn't a number, or has no known end, has no bar. @param {{display: any, label: string, language: string}} props */
function Progress({ display, label, language }) {
  const value = measured(display.value);
  const max = isMissing(display.max) ? 1 : measured(display.max);
  const part = value !== undefined && max !== undefined && max > 0 ? value / max : undefined;
  const isKnown = part !== undefined && (part <= 1 || !isMissing(display.max));
  const exact = [display.value, display.max].filter((one) => !isMissing(one)).map((one) => visible(plain(one))).join(' / ');
  const said = isKnown ? percentage(part, language) : exact || '–';
  return html`
    <div class="display progress">
      <p class="label"><span dir="auto">${label}</span><span title=${exact}>${said}</span></p>
      ${isKnown && html`<progress max="1" value=${Math.min(1, Math.max(0, part))} aria-label=${label}>${said}</progress>`}
    </div>
  `;
}
