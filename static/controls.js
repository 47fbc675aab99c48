// What can be used at the end of the conversation: the last answer's buttons, each machine's content and buttons, and what waits
// to be approved. What an answer shows to be read stands with the answer.

import { html, useState } from './vendor/ui.mjs';
import { Displays } from './card.js';
import { list, plain } from './coerce.js';
import { dated, t } from './i18n.js';
import { shown } from './live.js';
import { beside, decide, press, turns } from './session.js';
import { grouped, isDisplay } from './shown.js';
import { unturned, visible } from './words.js';

/** @typedef {import('./contract.js').Control} Control */
/** @typedef {import('./shown.js').ControlGroup} ControlGroup */

export function Controls() {
  const { controls, machines, uiState } = beside.value;
  const approvals = controls.filter(({ type }) => type === 'approval');
  const { owner, byTurn } = shown.value;
  // Shown with its answer already, if that is there.
  const isPlaced = owner in byTurn && turns.value.some(({ id }) => id === owner);
  const groups = grouped(controls, machines).map((group) => ({ ...group, controls: group.controls.filter((control) => group.id || !isPlaced || !isDisplay(control)) }));
  const used = groups.filter((group) => group.controls.length > 0);
  if (used.length + approvals.length === 0) return null;
  return html`
    <section class="controls" aria-label=${t('controls.title')}>
      ${used.map((group) => html`<${Group} key=${group.id} group=${group} uiState=${uiState} />`)}
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
  const label = visible(wanted(plain(node), plain(tool), plain(database)));
  /** @param {any} button */
  async function send(button) {
    setSent(true);
    if (!(await decide(button))) setSent(false);
  }
  return html`
    <div class="group approval" role="group" aria-label=${label} data-source=${source}>
      <p class="label" dir="auto">${label}. ${t('controls.until', { time: dated(expires, { dateStyle: 'medium', timeStyle: 'short' }) })}</p>
      <pre tabindex="0" aria-label=${t('controls.task')}><code>${visible(plain(text))}</code></pre>
      <div class="buttons">
        ${list(buttons).map((button) => html`<button type="button" class="plain control" data-action=${button.action} disabled=${isSent} onClick=${() => send(button)}>${visible(plain(button.label))}</button>`)}
      </div>
    </div>
  `;
}

/** @param {string} node @param {string} tool @param {string} database */
function wanted(node, tool, database) {
  if (!tool) return database ? t('controls.beginOn', { node, database }) : t('controls.begin', { node });
  return database ? t('controls.callOn', { node, tool, database }) : t('controls.call', { node, tool });
}

/** @param {{group: ControlGroup, uiState: Record<string, unknown>}} props */
function Group({ group, uiState }) {
  const displays = group.controls.filter(isDisplay);
  const buttons = group.controls.filter((control) => control.type === 'button');
  const name = spaced(group.id);
  return html`
    <div class="group" data-machine=${group.id || undefined} role="group" aria-label=${group.id ? t('controls.machine', { name }) : t('controls.answer')}>
      ${group.id && html`<p class="machine-name" aria-live="polite"><bdi>${name}</bdi> <b dir="auto">${spaced(group.state)}</b></p>`}
      ${displays.length > 0 && html`<${Displays} displays=${displays.map((display) => bound(display, uiState))} isLive=${group.id !== ''} />`}
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
