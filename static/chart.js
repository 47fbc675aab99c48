// Charts in plain SVG: lines or bars over labels, with the same numbers as a table for who can't see them.

import { html } from './vendor/ui.mjs';
import { list, plain } from './coerce.js';
import { Table } from './table.js';
import { number } from './words.js';

const WIDTH = 640;
const HEIGHT = 280;
const PLOT = { left: 54, right: 628, top: 12, bottom: 244 };
const LABELS_MAX = 8;

/** @typedef {{name: string, values: number[]}} Series */

/** @param {{display: any, label: string}} props */
export function Chart({ display, label }) {
  const series = seriesOf(display);
  const count = Math.max(0, ...series.map(({ values }) => values.length));
  const given = list(display.x);
  const labels = Array.from({ length: count }, (_, at) => plain(given[at] ?? at + 1));
  if (count === 0) return null;

  const kind = display.kind === 'line' ? 'line' : 'bar';
  const scale = scaleOf(series.flatMap(({ values }) => values));
  const rows = labels.map((name, at) => [name, ...series.map(({ values }) => values[at])]);
  const title = label || 'Chart';
  return html`
    <figure class="display chart">
      ${label && html`<figcaption class="label">${label}</figcaption>`}
      ${series.length > 1 && html`<p class="legend">${series.map(({ name }, at) => html`<span class=${`series-${at % 4}`}><i></i>${name}</span>`)}</p>`}
      <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`${title}: ${kind} chart of ${series.map(({ name }) => name).join(', ')}. The numbers follow as a table.`}>
        <${Axes} scale=${scale} labels=${labels} kind=${kind} />
        ${series.map((one, at) => html`<${kind === 'line' ? Line : Bars} series=${one} at=${at} of=${series.length} count=${count} scale=${scale} />`)}
      </svg>
      <details><summary>As a table</summary><${Table} columns=${['', ...series.map(({ name }) => name)]} rows=${rows} label=${title} /></details>
    </figure>
  `;
}

/** @param {any} display @returns {Series[]} */
function seriesOf(display) {
  const given = list(display.series ?? display.values);
  const isOneList = given.every((value) => typeof value === 'number');
  const all = isOneList ? [{ values: given }] : given;
  return all.map((one, at) => ({
    name: plain(one?.name) || `series ${at + 1}`,
    values: list(one?.values ?? one).map((value) => Number(value) || 0),
  }));
}

/** A range with round steps that holds all values and zero. @param {number[]} values */
export function scaleOf(values) {
  const lowest = Math.min(0, ...values);
  const highest = Math.max(0, ...values);
  const span = highest - lowest || 1;
  const magnitude = 10 ** Math.floor(Math.log10(span / 4));
  const step = magnitude * ([1, 2, 5, 10].find((factor) => (magnitude * factor * 5) >= span) ?? 10);
  const from = Math.floor(lowest / step) * step;
  const to = Math.ceil(highest / step) * step || step;
  const ticks = Array.from({ length: Math.round((to - from) / step) + 1 }, (_, at) => from + at * step);
  /** @param {number} value */
  const y = (value) => PLOT.bottom - ((value - from) / (to - from)) * (PLOT.bottom - PLOT.top);
  return { ticks, y };
}

/** The middle of the place that belongs to a label. @param {number} at @param {number} count */
function middle(at, count) {
  return PLOT.left + ((at + 0.5) / count) * (PLOT.right - PLOT.left);
}

/** @param {{scale: ReturnType<typeof scaleOf>, labels: string[], kind: string}} props */
function Axes({ scale, labels }) {
  const every = Math.ceil(labels.length / LABELS_MAX);
  const shown = labels.map((name, at) => ({ name, at })).filter(({ at }) => at % every === 0);
  return html`
    <g class="axes">
      ${scale.ticks.map((tick) => html`<path d=${`M${PLOT.left} ${scale.y(tick)}H${PLOT.right}`} class=${tick === 0 ? 'zero' : ''} /><text x=${PLOT.left - 8} y=${scale.y(tick) + 4} text-anchor="end">${number(tick)}</text>`)}
      ${shown.map(({ name, at }) => html`<text x=${middle(at, labels.length)} y=${PLOT.bottom + 22} text-anchor="middle">${name}</text>`)}
    </g>
  `;
}

/** @param {{series: Series, at: number, count: number, scale: ReturnType<typeof scaleOf>}} props */
function Line({ series, at, count, scale }) {
  const points = series.values.map((value, place) => [middle(place, count), scale.y(value)]);
  return html`
    <g class=${`line series-${at % 4}`}>
      <path d=${`M${points.map(([x, y]) => `${x} ${y}`).join('L')}`} />
      ${points.map(([x, y]) => html`<circle cx=${x} cy=${y} r="3.5" />`)}
    </g>
  `;
}

/** @param {{series: Series, at: number, of: number, count: number, scale: ReturnType<typeof scaleOf>}} props */
function Bars({ series, at, of, count, scale }) {
  const room = ((PLOT.right - PLOT.left) / count) * 0.68;
  const width = room / of;
  const zero = scale.y(0);
  return html`
    <g class=${`bars series-${at % 4}`}>
      ${series.values.map((value, place) => {
        const y = scale.y(value);
        const x = middle(place, count) - room / 2 + at * width;
        return html`<rect x=${x} y=${Math.min(y, zero)} width=${Math.max(1, width - 2)} height=${Math.abs(zero - y)} rx="2" />`;
      })}
    </g>
  `;
}
