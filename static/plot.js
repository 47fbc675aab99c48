// Where everything of a chart stands, in pixels of the width that there is. Bars lie where their labels would not fit beneath them.
//
// Pure, but for the width of a text, which the caller measures. What is missing leaves a gap, and what isn't a number is not drawn.
// Zero is a value, and can be seen.

import { amount, measured } from './values.js';

/** `values`: as they came. @typedef {{name: string, values: unknown[]}} Series */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{at: number, value: unknown, x: number, y: number, box?: Box}} Mark  `at`: its label's place; a bar has a box */
/** @typedef {{text: string, x: number, y: number, anchor: 'start' | 'middle' | 'end', isLabel: boolean}} Text */
/** @typedef {{path: string, isZero: boolean}} Line */
/** `place`: the label at a point of the drawing; `band`: what belongs to a label.
 * @typedef {{width: number, height: number, isLying: boolean, lines: Line[], texts: Text[], marks: Mark[][], place: (x: number, y: number) => number, band: (at: number) => Box}} Plot */

const HEIGHT = 280;
const TOP = 12;
const BELOW = 36;
const TEXT_HEIGHT = 13;
const GAP = 8;
const LABELS_MAX = 12;
/** More lying bars than this make a chart that nobody overlooks. */
const LYING_MAX = 60;
const BAR_MIN = 12;
/** Of the width, for labels beside bars. */
const BESIDE_MAX = 0.42;
/** Points closer than this are a line alone. */
const POINTS_APART_MIN = 7;

/** Labels that count: numbers, years, months, days. Between two of them everyone knows what stands there. */
const COUNTS = /^(?:\d+|\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?|\d{1,2}[./]\d{1,2}[./]?(?:\d{2,4})?|\d{4}-?[KQW]\d{1,2}|[KQW]\d{1,2} ?\d{4}|\d{1,2}:\d{2})$/;

/** @param {{kind: 'line' | 'bar', labels: string[], series: Series[], width: number, language: string, measure: (text: string) => number}} chart @returns {Plot} */
export function plotOf({ kind, labels, series, width, language, measure }) {
  const numbers = series.flatMap(({ values }) => values.map(measured)).filter((value) => value !== undefined);
  const scale = scaleOf(numbers, language);
  const longest = Math.max(...labels.map(measure));
  const beside = 12 + Math.max(...scale.ticks.map(({ text }) => measure(text)));
  const band = (width - GAP - beside) / labels.length;
  const isLying = kind === 'bar' && labels.length <= LYING_MAX && longest + GAP > band && !labels.every((label) => !label || COUNTS.test(label));
  const room = { labels, series, scale, width, measure, longest };
  return isLying ? lying(room) : standing({ ...room, kind, left: Math.min(beside, width / 2) });
}

/** @typedef {{labels: string[], series: Series[], scale: Scale, width: number, measure: (text: string) => number, longest: number}} Room */

/** @param {Room & {kind: 'line' | 'bar', left: number}} room @returns {Plot} */
function standing({ kind, labels, series, scale, width, measure, longest, left }) {
  const [right, bottom] = [width - GAP, HEIGHT - BELOW];
  const band = (right - left) / labels.length;
  const y = along(scale, bottom, TOP);
  const middle = (/** @type {number} */ at) => left + (at + 0.5) * band;
  const most = Math.min(longest, (right - left) / 2);
  const every = Math.max(1, Math.ceil((most + 2 * GAP) / band), Math.ceil(labels.length / LABELS_MAX));
  const texts = labels.flatMap((label, at) => {
    if (at % every !== 0) return [];
    const text = fitted(label, Math.max(most, band * every - GAP), measure);
    const half = measure(text) / 2;
    return [{ text, x: Math.min(width - half, Math.max(half, middle(at))), y: bottom + 22, anchor: /** @type {const} */ ('middle'), isLabel: true }];
  });
  const bar = (band * 0.68) / series.length;
  const marks = series.map(({ values }, of) =>
    drawable(values).map(({ at, value, number }) => {
      if (kind === 'line') return { at, value, x: middle(at), y: y(number) };
      const height = Math.max(1.5, Math.abs(y(0) - y(number)));
      const box = { x: middle(at) - band * 0.34 + of * bar, y: number < 0 ? y(0) : y(0) - height, width: Math.max(1, bar - Math.min(2, bar / 4)), height };
      return { at, value, x: box.x + box.width / 2, y: y(number), box };
    }),
  );
  return {
    width,
    height: HEIGHT,
    isLying: false,
    lines: scale.ticks.map(({ value }) => ({ path: `M${left} ${y(value)}H${right}`, isZero: value === 0 })),
    texts: [...scale.ticks.map(({ value, text }) => ({ text, x: left - GAP, y: y(value) + 4, anchor: /** @type {const} */ ('end'), isLabel: false })), ...texts],
    marks,
    place: (x) => inside(Math.floor((x - left) / band), labels.length),
    band: (at) => ({ x: left + at * band, y: TOP, width: band, height: bottom - TOP }),
  };
}

/** @param {Room} room @returns {Plot} */
function lying({ labels, series, scale, width, measure, longest }) {
  const left = Math.min(longest, width * BESIDE_MAX) + GAP;
  const row = Math.max(24, series.length * BAR_MIN + GAP);
  const bottom = 4 + row * labels.length;
  const last = scale.ticks[scale.ticks.length - 1];
  const right = width - Math.max(GAP, measure(last.text) / 2);
  const x = along(scale, left, right);
  const bar = (row * 0.72) / series.length;
  const step = Math.abs(x(scale.ticks[1]?.value ?? 0) - x(scale.ticks[0].value)) || width;
  const every = Math.ceil((Math.max(...scale.ticks.map(({ text }) => measure(text))) + 2 * GAP) / step);
  const zero = scale.ticks.findIndex(({ value }) => value === 0);
  const ticks = scale.ticks.filter((_, at) => (at - zero) % every === 0);
  const marks = series.map(({ values }, of) =>
    drawable(values).map(({ at, value, number }) => {
      const length = Math.max(1.5, Math.abs(x(0) - x(number)));
      const box = { x: number < 0 ? x(0) - length : x(0), y: 4 + at * row + row * 0.14 + of * bar, width: length, height: Math.max(1, bar - 1) };
      return { at, value, x: x(number), y: box.y + box.height / 2, box };
    }),
  );
  return {
    width,
    height: bottom + 24,
    isLying: true,
    lines: ticks.map(({ value }) => ({ path: `M${x(value)} 4V${bottom}`, isZero: value === 0 })),
    texts: [
      ...labels.map((label, at) => ({ text: fitted(label, left - GAP, measure), x: left - GAP, y: 4 + (at + 0.5) * row + TEXT_HEIGHT / 3, anchor: /** @type {const} */ ('end'), isLabel: true })),
      ...ticks.map(({ value, text }) => ({ text, x: x(value), y: bottom + 18, anchor: /** @type {const} */ ('middle'), isLabel: false })),
    ],
    marks,
    place: (_, y) => inside(Math.floor((y - 4) / row), labels.length),
    band: (at) => ({ x: 0, y: 4 + at * row, width, height: row }),
  };
}

/** @param {unknown[]} values */
function drawable(values) {
  return values.flatMap((value, at) => {
    const number = measured(value);
    return number === undefined ? [] : [{ at, value, number }];
  });
}

/** @param {Scale} scale @param {number} low @param {number} high pixels @returns {(value: number) => number} */
function along({ from, to }, low, high) {
  return (value) => low + ((value - from) / (to - from)) * (high - low);
}

/** @param {number} at @param {number} count */
function inside(at, count) {
  return Math.min(count - 1, Math.max(0, at));
}

/** The points of a series as lines, which break where a value is missing. @param {Mark[]} marks */
export function lineThrough(marks) {
  return marks.map(({ at, x, y }, index) => `${marks[index - 1]?.at === at - 1 ? 'L' : 'M'}${x} ${y}`).join('');
}

/** The points that a line needs to be seen. @param {Mark[]} marks */
export function pointsOf(marks) {
  const isClose = marks.length > 1 && (marks[marks.length - 1].x - marks[0].x) / (marks.length - 1) < POINTS_APART_MIN;
  return isClose ? marks.filter(({ at }, index) => marks[index - 1]?.at !== at - 1 && marks[index + 1]?.at !== at + 1) : marks;
}

/** @param {string} text @param {number} most @param {(text: string) => number} measure */
function fitted(text, most, measure) {
  if (measure(text) <= most) return text;
  const characters = [...text];
  let [short, long] = [0, characters.length];
  while (long - short > 1) {
    const half = Math.floor((short + long) / 2);
    if (measure(`${characters.slice(0, half).join('').trimEnd()}…`) <= most) short = half;
    else long = half;
  }
  return `${characters.slice(0, short).join('').trimEnd()}…`;
}

/** @typedef {{from: number, to: number, ticks: {value: number, text: string}[]}} Scale */

/** A range with round steps that holds all values and zero. @param {number[]} values @param {string} language @returns {Scale} */
export function scaleOf(values, language) {
  const lowest = values.reduce((one, other) => Math.min(one, other), 0);
  const highest = values.reduce((one, other) => Math.max(one, other), 0);
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
  return { from, to, ticks };
}
