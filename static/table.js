// A table of whatever rows came: lists or objects, with or without columns.

import { html } from './vendor/ui.mjs';
import { list, plain } from './coerce.js';
import { amount, columnKind, digits, measured } from './values.js';
import { isRightToLeft, visible } from './words.js';

/** `amounts`: the places of columns that measure something, also where they are text.
 * @param {{columns?: any, rows?: any, label: string, language: string, amounts?: number[]}} props */
export function Table({ columns, rows, label, language, amounts = [] }) {
  const lines = list(rows);
  const keys = columns ? list(columns).map(columnKey) : Object.keys(lines.find(isObject) ?? {});
  const names = columns ? list(columns).map(columnName) : keys;
  const body = lines.map((line) => cells(line, keys));
  const width = Math.max(names.length, ...body.map((row) => row.length));
  const kinds = Array.from({ length: width }, (_, at) => columnKind(body.map((row) => row[at])));
  /** @param {number} at */
  const side = (at) => (kinds[at].isNumeric ? 'numeric' : '');
  /** @param {any} cell @param {number} at */
  const text = (cell, at) => (amounts.includes(at) && measured(cell) !== undefined ? amount(cell, language) : shown(cell, kinds[at].isMeasure, language));
  return html`
    <div class="scroll" dir=${isRightToLeft(names.join()) ? 'rtl' : undefined} tabindex="0" role="region" aria-label=${label}>
      <table onCopy=${copied}>
        ${names.length > 0 && html`<thead><tr>${names.map((name, at) => (name ? html`<th scope="col" dir="auto" class=${side(at)}>${visible(name)}</th>` : html`<td></td>`))}</tr></thead>`}
        <tbody>${body.map((row) => html`<tr>${row.map((cell, at) => html`<${Cell} exact=${plain(cell)} text=${text(cell, at)} side=${side(at)} />`)}</tr>`)}</tbody>
      </table>
    </div>
  `;
}

/** @param {{exact: string, text: string, side: string}} props */
function Cell({ exact, text, side }) {
  const isExact = exact === text;
  return html`<td dir="auto" class=${side} title=${isExact ? undefined : visible(exact)} data-exact=${isExact ? undefined : exact}>${text}</td>`;
}

/** @param {any} cell @param {boolean} isMeasure @param {string} language */
function shown(cell, isMeasure, language) {
  if (typeof cell !== 'number' && typeof cell !== 'bigint') return visible(plain(cell));
  return isMeasure ? amount(cell, language) : digits(cell, language);
}

/** Whole cells are copied as they are, not as they are shown; a part of one cell as it was selected. @param {ClipboardEvent} event */
export function copied(event) {
  const selection = getSelection();
  const root = /** @type {HTMLElement} */ (event.currentTarget);
  if (!selection || !event.clipboardData) return;
  const texts = (/** @type {Element} */ row) =>
    [.../** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll('td, th, [data-exact]'))].filter((cell) => selection.containsNode(cell, true)).map((cell) => cell.dataset.exact ?? cell.innerText);
  const rows = (root.matches('table') ? [...root.querySelectorAll('tr')] : [root]).map(texts).filter((row) => row.length > 0);
  if (rows.length === 0 || (rows.flat().length === 1 && !isWhole(selection, root))) return;
  event.clipboardData.setData('text/plain', rows.map((row) => row.join('\t')).join('\n'));
  event.preventDefault();
}

/** Whether what is selected is all that its cell shows. @param {Selection} selection @param {Element} root */
function isWhole(selection, root) {
  const cell = [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('td, th, [data-exact]'))].find((one) => selection.containsNode(one, true));
  return cell?.innerText.trim() === selection.toString().trim();
}

/** @param {any} column */
function columnName(column) {
  return isObject(column) ? plain(column.label ?? column.name ?? column.key) : plain(column);
}

/** What a row that is an object calls the column's value. @param {any} column */
function columnKey(column) {
  return isObject(column) ? plain(column.key ?? column.name ?? column.label) : plain(column);
}

/** @param {any} line @param {string[]} keys @returns {any[]} */
function cells(line, keys) {
  return isObject(line) ? keys.map((key) => line[key]) : list(line);
}

/** @param {any} value */
function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
