// A table of whatever rows came, as a card: the first rows at once and all on demand, sorted by any column, to copy and to take
// along.

import { html, useMemo, useRef, useState } from './vendor/ui.mjs';
import { CopyButton } from './buttons.js';
import { csv, download, fileName } from './download.js';
import { useEdges } from './edges.js';
import { t } from './i18n.js';
import { exactRows, sheetOf, sorted } from './rows.js';
import { isRightToLeft, visible } from './words.js';

/** @typedef {import('./rows.js').Order} Order */
/** @typedef {import('./rows.js').Sheet} Sheet */

const FIRST = 10;
/** Rows that are added at once, so that a long table doesn't hold up the page. */
const STEP = 500;

/** @param {{columns?: any, rows?: any, label: string, language: string, amounts?: number[], children?: any}} props `children`: where the rows come from */
export function Table({ columns, rows, label, language, amounts = [], children }) {
  const sheet = useMemo(() => sheetOf({ columns, rows, language, amounts }), [columns, rows, language, amounts.join()]);
  const name = label || t('results.table');
  return html`
    <figure class="display table card">
      <figcaption class="caption">
        <span class="title" dir="auto">${label}</span>
        <small>${t('chat.rows', { count: sheet.rows.length })}</small>
        <span class="tools">
          <${CopyButton} text=${() => exactRows(sheet, sheet.rows).map((row) => row.join('\t')).join('\n')} label=${t('table.copy', { name })} />
          <button type="button" class="quiet tool" aria-label=${t('table.csv', { name })} title=${t('table.csv', { name })} onClick=${() => save(sheet, label)}>CSV</button>
        </span>
      </figcaption>
      <${Rows} sheet=${sheet} name=${name} language=${language} />
      ${children}
    </figure>
  `;
}

/** @param {Sheet} sheet @param {string} label */
function save(sheet, label) {
  download(fileName(label, t('results.table'), 'csv'), new Blob([csv(exactRows(sheet, sheet.rows))], { type: 'text/csv' }));
}

/** @param {{sheet: Sheet, name: string, language: string}} props */
export function Rows({ sheet, name, language }) {
  /** @type {{current: HTMLElement | null}} */
  const scroller = useRef(null);
  const [order, setOrder] = useState(/** @type {Order | undefined} */ (undefined));
  const [most, setMost] = useState(FIRST);
  useEdges(scroller);
  const ordered = useMemo(() => sorted(sheet, order, language), [sheet, order, language]);
  const { columns, hasHead, rows } = sheet;
  const rest = rows.length - most;
  /** @param {number} at */
  const side = (at) => (columns[at].isNumeric ? 'numeric' : '');
  return html`
    <div class=${most > FIRST ? 'scroll all' : 'scroll'} ref=${scroller} dir=${isRightToLeft(columns.map((column) => column.name).join()) ? 'rtl' : undefined} tabindex="0" role="group" aria-label=${name}>
      <table onCopy=${copied}>
        ${hasHead && html`<thead><tr>${columns.map((column, at) => (column.name ? html`<${Head} name=${column.name} side=${side(at)} at=${at} order=${order} onOrder=${setOrder} />` : html`<td></td>`))}</tr></thead>`}
        <tbody>${ordered.slice(0, most).map((row) => html`<tr>${row.map((cell, at) => html`<${OneCell} cell=${cell} side=${side(at)} />`)}</tr>`)}</tbody>
      </table>
    </div>
    ${rows.length > FIRST && html`
      <p class="table-more">
        <button type="button" class="quiet" onClick=${() => setMost(rest > 0 ? most + STEP : FIRST)}>${rest > STEP ? t('table.more', { count: STEP }) : t(rest > 0 ? 'table.all' : 'table.first', { count: rest > 0 ? rows.length : FIRST })}</button>
      </p>
    `}
  `;
}

/** Pressed once the smallest come first, twice the largest, and then again what came first.
 * @param {{name: string, side: string, at: number, order: Order | undefined, onOrder: (order: Order | undefined) => void}} props */
function Head({ name, side, at, order, onOrder }) {
  const isBy = order?.at === at;
  const next = !isBy ? { at, isDown: false } : order.isDown ? undefined : { at, isDown: true };
  return html`
    <th scope="col" dir="auto" class=${side} aria-sort=${isBy ? (order.isDown ? 'descending' : 'ascending') : undefined}>
      <button type="button" class="sort" onClick=${() => onOrder(next)}>${name}<i aria-hidden="true"></i></button>
    </th>
  `;
}

/** @param {{cell: import('./rows.js').Cell, side: string}} props */
function OneCell({ cell: { exact, text, pad }, side }) {
  const isExact = exact === text;
  return html`<td dir="auto" class=${side} title=${isExact ? undefined : visible(exact)} data-exact=${isExact && !pad ? undefined : exact}>${text}${pad && html`<span class="pad" aria-hidden="true">${pad}</span>`}</td>`;
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
