// Charts in plain SVG: lines or bars over labels, with the same numbers as a table for who can't see them.
//
// What is missing leaves a gap, and what isn't a number is not drawn and named below. Zero is a value, and can be seen.

import { html } from './vendor/ui.mjs';
import { list, plain } from './coerce.js';
import { Table } from './table.js';
import { amount, digits, isMissing, measured } from './values.js';
import { visible } from './words.js';

const WIDTH = 640;
const HEIGHT = 280;
const PLOT = { left: 54, right: 628, top: 12, bottom: 244 };
const LABELS_MAX = 8;
/** More fill the whole width; the table and a point's title have all of them. */
const LABEL_LENGTH_MAX = 40;
/** Of text on a phone, where it is larger. */
const CHARACTER_WIDTH = 11;
const NAMED_MAX = 3;

/** `values`: as they came. @typedef {{name: string, values: unknown[]}} Series */
/** @typedef {ReturnType<typeof scaleOf>} Scale */

/** @param {{display: any, label: string, language: string}} props */
export function Chart({ display, label, language }) {
  const series = seriesOf(display);
  const count = Math.max(0, ...series.map(({ values }) => values.length));
  if (count === 0) return null;

  const labels = labelsOf(display, count, language);
  const values = series.flatMap((one) => one.values);
  const numbers = values.map(measured).filter((value) => value !== undefined);
  const kind = display.kind === 'line' ? 'line' : 'bar';
  const scale = scaleOf(numbers, language);
  const rows = labels.map((name, at) => [name, ...series.map((one) => one.values[at])]);
  const title = label || 'Chart';
  return html`
    <figure class="display chart">
      ${label && html`<figcaption class="label" dir="auto">${label}</figcaption>`}
      ${series.length > 1 && html`<p class="legend">${series.map(({ name }, at) => html`<span class=${`series-${at % 4}`}><i></i><bdi>${name}</bdi></span>`)}</p>`}
      ${numbers.length > 0 &&
      html`<svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`${title}: ${kind} chart of ${series.map(({ name }) => name).join(', ')}. The numbers follow as a table.`}>
        <${Axes} scale=${scale} labels=${labels} />
        ${series.map((one, at) => html`<${kind === 'line' ? Line : Bars} series=${one} at=${at} of=${series.length} labels=${labels} scale=${scale} />`)}
      </svg>`}
      <${Undrawn} values=${values} isEmpty=${numbers.length === 0} />
      <details><summary>As a table</summary><${Table} columns=${['', ...series.map(({ name }) => name)]} rows=${rows} label=${title} language=${language} amounts=${series.map((_, at) => at + 1)} /></details>
    </figure>
  `;
}

/** Says which values are not in the drawing. @param {{values: unknown[], isEmpty: boolean}} props */
function Undrawn({ values, isEmpty }) {
  const odd = values.filter((value) => !isMissing(value) && measured(value) === undefined);
  if (odd.length === 0) return isEmpty && html`<p class="undrawn">There is no value to draw.</p>`;
  const named = odd.slice(0, NAMED_MAX).map((value) => `“${visible(plain(value))}”`).join(', ');
  const said = odd.length === 1 ? '1 value isn’t a number and isn’t drawn' : `${odd.length} values aren’t numbers and aren’t drawn`;
  return html`<p class="undrawn">${said}: <bdi>${named}</bdi>${odd.length > NAMED_MAX && ' …'}</p>`;
}

/** Counted where none are given; one that is missing stays empty. @param {any} display @param {number} count @param {string} language */
function labelsOf(display, count, language) {
  const given = list(display.x);
  return Array.from({ length: count }, (_, at) => {
    const label = given.length > 0 ? given[at] : at + 1;
    return typeof label === 'number' ? digits(label, language) : visible(plain(label));
  });
}

/** @param {any} display @returns {Series[]} */
function seriesOf(display) {
  const given = list(display.series ?? display.values);
  const isOneList = given.every((value) => value === null || typeof value !== 'object');
  const all = isOneList ? [{ values: given }] : given;
  return all.map((one, at) => ({ name: visible(plain(one?.name)) || `series ${at + 1}`, values: list(one?.values ?? one) }));
}

/** A range with round steps that holds all values and zero, and room for its numbers. @param {number[]} values @param {string} language */
export function scaleOf(values, language) {
  const lowest = Math.min(0, ...values);
  const highest = Math.max(0, ...values);
  const span = highest - lowest || 1;
  const magnitude = 10 ** Math.floor(Math.log10(span / 4));
  const step = magnitude * ([1, 2, 5, 10].find((factor) => (magnitude * factor * 5) >= span) ?? 10);
  const from = Math.floor(lowest / step) * step;
  const to = Math.ceil(highest / step) * step || step;
  const ticks = Array.from({ length: Math.round((to - from) / step) + 1 }, (_, at) => {
    // Steps are round; what adding them up leaves behind is not.
    const value = Number((from + at * step).toPrecision(12));
    return { value, text: amount(value, language) };
  });
  /** @param {number} value */
  const y = (value) => PLOT.bottom - ((value - from) / (to - from)) * (PLOT.bottom - PLOT.top);
  const left = Math.max(PLOT.left, 12 + CHARACTER_WIDTH * Math.max(...ticks.map(({ text }) => text.length)));
  /** The middle of the place that belongs to a label. @param {number} at @param {number} count */
  const x = (at, count) => left + ((at + 0.5) / count) * (PLOT.right - left);
  return { ticks, left, x, y };
}

/** @param {{scale: Scale, labels: string[]}} props */
function Axes({ scale, labels }) {
  const short = labels.map((name) => (name.length > LABEL_LENGTH_MAX ? `${name.slice(0, LABEL_LENGTH_MAX)}…` : name));
  const room = (PLOT.right - scale.left) / (CHARACTER_WIDTH * (2 + Math.max(...short.map((name) => name.length))));
  const every = Math.ceil(labels.length / Math.max(1, Math.min(LABELS_MAX, Math.floor(room))));
  const shown = short.map((name, at) => ({ name, at })).filter(({ at }) => at % every === 0);
  return html`
    <g class="axes">
      ${scale.ticks.map(({ value, text }) => html`<path d=${`M${scale.left} ${scale.y(value)}H${PLOT.right}`} class=${value === 0 ? 'zero' : ''} /><text x=${scale.left - 8} y=${scale.y(value) + 4} text-anchor="end">${text}</text>`)}
      ${shown.map(({ name, at }) => html`<text x=${scale.x(at, labels.length)} y=${PLOT.bottom + 22} text-anchor="middle">${name}</text>`)}
    </g>
  `;
}

/** @typedef {{at: number, x: number, y: number, title: string}} Point */

/** The values that can be drawn. @param {Series} series @param {string[]} labels @param {Scale} scale @returns {Point[]} */
function pointsOf({ name, values }, labels, scale) {
  return values.flatMap((value, at) => {
    const number = measured(value);
    return number === undefined ? [] : [{ at, x: scale.x(at, labels.length), y: scale.y(number), title: `${labels[at]} · ${name}: ${value}` }];
  });
}

/** @param {{series: Series, at: number, labels: string[], scale: Scale}} props */
function Line({ series, at, labels, scale }) {
  const points = pointsOf(series, labels, scale);
  const path = points.map(({ at: place, x, y }, index) => `${points[index - 1]?.at === place - 1 ? 'L' : 'M'}${x} ${y}`).join('');
  return html`
    <g class=${`line series-${at % 4}`}>
      <path d=${path} />
      ${points.map(({ x, y, title }) => html`<circle cx=${x} cy=${y} r="3.5"><title>${title}</title></circle>`)}
    </g>
  `;
}

/** @param {{series: Series, at: number, of: number, labels: string[], scale: Scale}} props */
function Bars({ series, at, of, labels, scale }) {
  const room = ((PLOT.right - scale.left) / labels.length) * 0.68;
  const width = room / of;
  const zero = scale.y(0);
  return html`
    <g class=${`bars series-${at % 4}`}>
      ${pointsOf(series, labels, scale).map(({ x, y, title }) => {
        const height = Math.max(1.5, Math.abs(zero - y));
        return html`<rect x=${x - room / 2 + at * width} y=${y > zero ? zero : zero - height} width=${Math.max(1, width - 2)} height=${height} rx="2"><title>${title}</title></rect>`;
      })}
    </g>
  `;
}
