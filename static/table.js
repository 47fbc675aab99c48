// A table of whatever rows came: lists or objects, with or without columns.

import { html } from './vendor/ui.mjs';
import { list, plain } from './coerce.js';

/** @param {{columns?: any, rows?: any, label: string}} props */
export function Table({ columns, rows, label }) {
  const lines = list(rows);
  const names = columns ? list(columns).map(columnName) : Object.keys(lines.find(isObject) ?? {});
  const body = lines.map((line) => cells(line, names));
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${label}>
      <table>
        ${names.length > 0 && html`<thead><tr>${names.map((name, at) => html`<th scope="col" class=${side(body[0]?.[at])}>${name}</th>`)}</tr></thead>`}
        <tbody>${body.map((row) => html`<tr>${row.map((cell) => html`<td class=${side(cell)}>${plain(cell)}</td>`)}</tr>`)}</tbody>
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

/** Numbers stand at the right, and so does what heads them. @param {any} cell */
function side(cell) {
  return typeof cell === 'number' ? 'numeric' : '';
}
