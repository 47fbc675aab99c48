// The results of an answer: tables and charts as cards, each with its caption, where its rows come from, and ways to take
// them along; and small displays beside each other. A model wrote what stands in a display, so everything may be missing or odd.

import { html, useMemo } from './vendor/ui.mjs';
import { Chart } from './chart.js';
import { Code } from './code.js';
import { list, plain } from './coerce.js';
import { language, t } from './i18n.js';
import { memory } from './session.js';
import { formattedSql } from './sql.js';
import { Table, copied } from './table.js';
import { amount, digits, isMissing, measured, percentage } from './values.js';
import { unturned, visible } from './words.js';

/** Of a turn. @param {{displays: any[]}} props */
export function Results({ displays }) {
  return html`<div class="results" role="group" aria-label=${t('results.title')}><${Displays} displays=${displays} /></div>`;
}

/** @param {{displays: any[], isLive?: boolean}} props `isLive`: a screen reader hears of changes */
export function Displays({ displays, isLive }) {
  return html`<div class="displays" aria-live=${isLive ? 'polite' : undefined}>${displays.map((display) => html`<${Display} display=${display} />`)}</div>`;
}

/** Numbers follow the language of the answer that a display came with, else the one that the user writes. @param {{display: any}} props */
export function Display({ display }) {
  const label = visible(plain(display.label ?? display.key));
  const written = plain(display.language || memory.value.language) || language.value;
  const origin = html`<${Origin} display=${display} />`;
  switch (display.type) {
    case 'text':
      return html`<div class="display text">${label && html`<${Label} text=${label} />`}<p dir="auto">${unturned(plain(display.text ?? display.value))}</p></div>${origin}`;
    case 'value':
      return html`<div class="display value">${label && html`<${Label} text=${label} />`}<${Figure} value=${display.value} unit=${visible(plain(display.unit))} language=${written} /></div>${origin}`;
    case 'progress':
      return html`<${Progress} display=${display} label=${label || t('results.progress')} language=${written} />${origin}`;
    case 'table':
      return html`<${Table} columns=${display.columns} rows=${display.rows} label=${label} language=${written} amounts=${list(display.decimals)}>${origin}<//>`;
    case 'chart':
      return html`<${Chart} display=${display} label=${label} language=${written}>${origin}<//>`;
    default:
      return null;
  }
}

/** Where the rows come from: whether they are cut or sample data, and the SQL for who asks for it. @param {{display: any}} props */
function Origin({ display }) {
  const sql = visible(plain(display.sql));
  const written = useMemo(() => formattedSql(sql), [sql]);
  const note = visible(plain(display.note));
  return html`
    ${(display.sample || note) && html`<p class="origin-note" dir="auto">${display.sample && html`<b class="sample">${t('results.sample')}</b>`}${note && html`<span>${note}</span>`}</p>`}
    ${sql && html`<details class="origin"><summary>SQL</summary><${Code} text=${written} language="sql" isWhole=${true} /></details>`}
  `;
}

/** @param {{text: string}} props */
function Label({ text }) {
  return html`<p class="label" dir="auto">${text}</p>`;
}

/** One value, large. A unit says that it measures something. @param {{value: any, unit: string, language: string}} props */
function Figure({ value, unit, language: written }) {
  const exact = plain(value);
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  const isMeasure = unit !== '' && measured(value) !== undefined;
  const text = isMeasure ? amount(value, written) : isNumber ? digits(value, written) : visible(exact);
  return html`
    <p class="number" dir="auto" onCopy=${copied}>
      ${isMissing(value) ? '–' : html`<span title=${text === exact ? undefined : visible(exact)} data-exact=${exact}>${text}</span>`}${unit && html` <small>${unit}</small>`}
    </p>
  `;
}

/** Without `max`, a part of one. What isn't a number, or has no known end, has no bar. @param {{display: any, label: string, language: string}} props */
function Progress({ display, label, language: written }) {
  const value = measured(display.value);
  const max = isMissing(display.max) ? 1 : measured(display.max);
  const part = value !== undefined && max !== undefined && max > 0 ? value / max : undefined;
  const isKnown = part !== undefined && (part <= 1 || !isMissing(display.max));
  const exact = [display.value, display.max].filter((one) => !isMissing(one)).map((one) => visible(plain(one))).join(' / ');
  const said = isKnown ? percentage(part, written) : exact || '–';
  return html`
    <div class="display progress">
      <p class="label"><span dir="auto">${label}</span><span title=${exact}>${said}</span></p>
      ${isKnown && html`<progress max="1" value=${Math.min(1, Math.max(0, part))} aria-label=${label}>${said}</progress>`}
    </div>
  `;
}
