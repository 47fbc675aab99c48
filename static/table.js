// A table of whatever rows came: lists or objects, with or without columns.

import { html } from './vendor/ui.mjs';
import { list, plain } from './words.js';

/** @param {{columns?: any, rows?: any, label: string}} props */
export function Table({ columns, rows, label }) {
  const lines = list(rows);
  const names = columns ? list(columns).map(columnName) : Object.keys(lines.find(isObject) ?? {});
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${label}>
      <table>
        ${names.length > 0 && html`<thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>`}
        <tbody>${lines.map((line) => html`<tr>${cells(line, names).map((cell) => html`<${Cell} value=${cell} />`)}</tr>`)}</tbody>
      </table>
    </div>
  `;
}

/** @param {any} column */
function columnName(column) {
  return isObject(column) ? plain(column.label ?? column.name ?? column.key) : plain(column);
}

/** @param {any} line @param {string[]} names @returns {any[]} */
function cells(line, names) {
  return isObject(line) ? names.map((name) => line[name]) : list(line);
}

/** @param {any} value */
function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** @param {{value: any}} props */
function Cell({ value }) {
  return html`<td class=${typeof value === 'number' ? 'numeric' : ''}>${plain(value)}</td>`;
}
