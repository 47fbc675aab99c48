// What the conversation shows beside its text: displays to read and buttons to press.
//
// The list is flat: the last answer's controls, then each machine's content and buttons. It is drawn in groups, one for
// the answer and one for each machine. A model wrote what stands in a display, so everything may be missing or odd.

import { html } from './vendor/ui.mjs';
import { Chart } from './chart.js';
import { list, plain } from './coerce.js';
import { beside, press } from './session.js';
import { Table } from './table.js';
import { number } from './words.js';

export function Controls() {
  const { controls, machines, uiState } = beside.value;
  if (controls.length === 0) return null;
  return html`
    <section class="controls" aria-label="Controls">
      ${grouped(controls, machines).map((group) => html`<${Group} key=${group.id} group=${group} uiState=${uiState} />`)}
    </section>
  `;
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
      ${group.id && html`<p class="machine-name" aria-live="polite">${spaced(group.id)} <b>${spaced(group.state)}</b></p>`}
      ${displays.length > 0 && html`<div class="displays" aria-live=${group.id ? 'polite' : undefined}>${displays.map((display) => html`<${Display} display=${bound(display, uiState)} />`)}</div>`}
      ${buttons.length > 0 && html`<div class="buttons">${buttons.map((button) => html`<${Button} button=${button} />`)}</div>`}
    </div>
  `;
}

/** @param {string} name */
function spaced(name) {
  return plain(name).replaceAll('_', ' ');
}

/** @param {{button: any}} props */
function Button({ button }) {
  return html`<button type="button" class="plain control" data-action=${button.action} onClick=${() => press(button)}>${plain(button.label ?? button.action)}</button>`;
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
  const origin = [display.sample && 'Sample data', plain(display.note)].filter(Boolean).join(' · ');
  return html`
    <${Shown} display=${display} />
    ${origin && html`<p class="label">${origin}</p>`}
    ${display.sql && html`<details class="origin"><summary>SQL</summary><pre tabindex="0"><code>${plain(display.sql)}</code></pre></details>`}
  `;
}

/** @param {{display: any}} props */
function Shown({ display }) {
  const label = plain(display.label ?? display.key);
  switch (display.type) {
    case 'text':
      return html`<div class="display text">${label && html`<p class="label">${label}</p>`}<p>${plain(display.text ?? display.value)}</p></div>`;
    case 'value':
      return html`
        <div class="display value">
          ${label && html`<p class="label">${label}</p>`}
          <p class="number">${typeof display.value === 'number' ? number(display.value) : plain(display.value)}${display.unit && html` <small>${plain(display.unit)}</small>`}</p>
        </div>
      `;
    case 'progress':
      return html`<${Progress} display=${display} label=${label} />`;
    case 'table':
      return html`<figure class="display table">${label && html`<figcaption class="label">${label}</figcaption>`}<${Table} columns=${display.columns} rows=${display.rows} label=${label || 'Table'} /></figure>`;
    case 'chart':
      return html`<${Chart} display=${display} label=${label} />`;
    default:
      return null;
  }
}

/** @param {{display: any, label: string}} props */
function Progress({ display, label }) {
  const max = Number(display.max) || 1;
  const value = Math.min(max, Math.max(0, Number(display.value) || 0));
  const percent = `${Math.round((100 * value) / max)} %`;
  return html`
    <div class="display progress">
      <p class="label"><span>${label || 'Progress'}</span><span>${percent}</span></p>
      <progress max=${max} value=${value} aria-label=${label || 'Progress'}>${percent}</progress>
    </div>
  `;
}
