// The rows of a table as data: what came, in whatever shape, becomes columns with names and cells with text; and their order.
//
// Pure. A model or a database wrote what is in them, so everything may be missing or odd.

import { list, plain } from './coerce.js';
import { amount, columnKind, digits, isMissing, measured } from './values.js';
import { visible } from './words.js';

/** `pad`: digits that would follow, for numbers to stand beneath each other at their decimal mark.
 * @typedef {{value: unknown, exact: string, text: string, pad: string}} Cell */
/** @typedef {{name: string, isNumeric: boolean}} Column */
/** @typedef {{columns: Column[], hasHead: boolean, rows: Cell[][]}} Sheet */
/** @typedef {{at: number, isDown: boolean}} Order  `isDown`: the largest first */

/** @param {{columns?: any, rows?: any, language: string, amounts: number[]}} table `amounts`: the places of columns that measure something, also where they are text
 * @returns {Sheet} */
export function sheetOf({ columns, rows, language, amounts }) {
  const lines = list(rows);
  const keys = columns ? list(columns).map(columnKey) : Object.keys(lines.find(isObject) ?? {});
  const names = columns ? list(columns).map(columnName) : keys;
  const body = lines.map((line) => cells(line, keys));
  const width = Math.max(names.length, ...body.map((row) => row.length));
  const mark = decimalMark(language);
  const kinds = Array.from({ length: width }, (_, at) => columnKind(body.map((row) => row[at])));
  const texts = body.map((row) => row.map((cell, at) => shown(cell, { isAmount: amounts.includes(at), ...kinds[at] }, language)));
  const marks = kinds.map((_, at) => (amounts.includes(at) || kinds[at].isMeasure ? mark : '.'));
  const digitsMost = kinds.map((_, at) => Math.max(0, ...texts.map((row) => fraction(row[at] ?? '', marks[at]).length)));
  return {
    columns: kinds.map(({ isNumeric }, at) => ({ name: visible(names[at] ?? ''), isNumeric })),
    hasHead: names.length > 0,
    rows: body.map((row, line) =>
      row.map((value, at) => ({ value, exact: plain(value), text: texts[line][at], pad: kinds[at].isNumeric ? padding(texts[line][at], marks[at], digitsMost[at]) : '' })),
    ),
  };
}

/** The mark and the digits behind it. @param {string} text @param {string} mark */
function fraction(text, mark) {
  const at = /[eE]/.test(text) ? -1 : text.lastIndexOf(mark);
  return at < 0 ? '' : text.slice(at);
}

/** @param {string} text @param {string} mark @param {number} most */
function padding(text, mark, most) {
  const own = fraction(text, mark);
  if (most === 0 || text === '') return '';
  return own ? '0'.repeat(most - own.length) : mark + '0'.repeat(most - 1);
}

/** @param {string} language */
function decimalMark(language) {
  return /[^\d]/.exec(amount(0.5, language).slice(1))?.[0] ?? '.';
}

/** @param {any} cell @param {{isAmount: boolean, isMeasure: boolean}} kind @param {string} language */
function shown(cell, { isAmount, isMeasure }, language) {
  if (isAmount && measured(cell) !== undefined) return amount(cell, language);
  if (typeof cell !== 'number' && typeof cell !== 'bigint') return visible(plain(cell));
  return isMeasure ? amount(cell, language) : digits(cell, language);
}

/** In another order; what is missing comes last either way, and equal rows stay as they came.
 * @param {Sheet} sheet @param {Order | undefined} order @param {string} language @returns {Cell[][]} */
export function sorted({ rows, columns }, order, language) {
  if (!order) return rows;
  const { at, isDown } = order;
  const texts = collator(language);
  const isNumeric = columns[at]?.isNumeric;
  const sign = isDown ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [one[at], other[at]];
    const missing = Number(!a || isMissing(a.value)) - Number(!b || isMissing(b.value));
    if (missing !== 0 || !a || !b) return missing;
    return sign * (isNumeric ? compared(exactly(a.value), exactly(b.value)) : texts.compare(a.text, b.text));
  });
}

/** Integers that a number can't hold still differ. @param {unknown} value */
function exactly(value) {
  return typeof value === 'bigint' || (typeof value === 'string' && /^-?\d+$/.test(value)) ? BigInt(value) : (measured(value) ?? 0);
}

/** @param {number | bigint} one @param {number | bigint} other */
function compared(one, other) {
  return one < other ? -1 : Number(one > other);
}

/** @param {string} language */
function collator(language) {
  try {
    return new Intl.Collator(language, { numeric: true });
  } catch {
    return new Intl.Collator('en', { numeric: true });
  }
}

/** The exact values, with the names of the columns. @param {Sheet} sheet @param {Cell[][]} rows @returns {string[][]} */
export function exactRows({ columns, hasHead }, rows) {
  const body = rows.map((row) => row.map(({ exact }) => exact));
  return hasHead ? [columns.map(({ name }) => name), ...body] : body;
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
