// Charts in plain SVG: lines or bars over labels. Their values can be read with a pointer, with the arrow keys, and as a table.

import { html, useLayoutEffect, useMemo, useRef, useState } from './vendor/ui.mjs';
import { list, plain } from './coerce.js';
import { fileName } from './download.js';
import { t } from './i18n.js';
import { lineThrough, plotOf, pointsOf } from './plot.js';
import { sheetOf } from './rows.js';
import { Rows } from './table.js';
import { amount, digits, isMissing, measured } from './values.js';
import { visible } from './words.js';

/** @typedef {import('./plot.js').Series} Series */
/** @typedef {import('./plot.js').Plot} Plot */

/** Until the page knows how wide it is. */
const WIDTH = 640;
const WIDTH_MIN = 200;
const COLOURS = 4;
const NAMED_MAX = 3;

/** @param {{display: any, label: string, language: string, children?: any}} props `children`: where the values come from */
export function Chart({ display, label, language, children }) {
  const { series, labels, kind } = useMemo(() => read(display, language), [display, language]);
  const sheet = useMemo(() => {
    const rows = labels.map((name, at) => [name, ...series.map((one) => one.values[at])]);
    return sheetOf({ columns: ['', ...series.map(({ name }) => name)], rows, language, amounts: series.map((_, at) => at + 1) });
  }, [series, labels, language]);
  /** @type {{current: HTMLElement | null}} */
  const drawing = useRef(null);
  if (labels.length === 0) return null;

  const values = series.flatMap((one) => one.values);
  const isEmpty = values.every((value) => measured(value) === undefined);
  const title = label || t('chart.title');
  /** @param {'png' | 'svg'} ending */
  async function save(ending) {
    const svg = drawing.current?.querySelector('svg');
    const { saveChart } = await import('./chartfile.js');
    if (svg) await saveChart(svg, { ending, name: fileName(label, t('chart.title'), ending), title: label, series: series.map(({ name }) => name) });
  }
  return html`
    <figure class="display chart card" ref=${drawing}>
      <figcaption class="caption">
        <span class="title" dir="auto">${label}</span>
        ${!isEmpty && html`
          <span class="tools">
            ${/** @type {const} */ (['png', 'svg']).map((ending) => html`<button type="button" class="quiet tool" aria-label=${t('chart.save', { name: title, kind: ending.toUpperCase() })} title=${t('chart.save', { name: title, kind: ending.toUpperCase() })} onClick=${() => save(ending)}>${ending.toUpperCase()}</button>`)}
          </span>
        `}
      </figcaption>
      ${series.length > 1 && html`<p class="legend">${series.map(({ name }, at) => html`<span class=${`series-${at % COLOURS}`}><i></i><bdi>${name}</bdi></span>`)}</p>`}
      ${!isEmpty && html`<${Drawing} series=${series} labels=${labels} kind=${kind} language=${language} title=${title} />`}
      <${Undrawn} values=${values} isEmpty=${isEmpty} language=${language} />
      <details class="as-table"><summary>${t('chart.asTable')}</summary><${Rows} sheet=${sheet} name=${title} language=${language} /></details>
      ${children}
    </figure>
  `;
}

/** @param {{series: Series[], labels: string[], kind: 'line' | 'bar', language: string, title: string}} props */
function Drawing({ series, labels, kind, language, title }) {
  /** @type {{current: HTMLElement | null}} */
  const element = useRef(null);
  const [width, setWidth] = useState(WIDTH);
  const [at, setAt] = useState(/** @type {number | undefined} */ (undefined));

  useLayoutEffect(() => {
    const place = element.current;
    if (!place) return;
    const fit = () => place.clientWidth > 0 && setWidth(Math.max(WIDTH_MIN, place.clientWidth));
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(place);
    return () => observer.disconnect();
  }, []);

  const plot = useMemo(() => plotOf({ kind, labels, series, width, language, measure: measureIn(element.current) }), [kind, labels, series, width, language]);
  const reading = at === undefined ? '' : readingOf(series, labels, at, language);

  /** @param {PointerEvent} event */
  function pointed(event) {
    const { left, top } = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    setAt(plot.place(event.clientX - left, event.clientY - top));
  }

  /** @param {KeyboardEvent} event */
  function keyPressed(event) {
    const now = at ?? 0;
    /** @type {Record<string, number>} */
    const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: labels.length - 1 };
    if (!(event.key in next)) return;
    event.preventDefault();
    setAt(Math.min(labels.length - 1, Math.max(0, next[event.key])));
  }

  const about = t(kind === 'line' ? 'chart.lines' : 'chart.bars', { name: title, series: series.map(({ name }) => name).join(', ') });
  return html`
    <div class="plot" ref=${element} tabindex="0" role="slider" aria-roledescription=${t('chart.title')} aria-label=${about} aria-orientation=${plot.isLying ? 'vertical' : 'horizontal'}
      aria-valuemin="1" aria-valuemax=${labels.length} aria-valuenow=${(at ?? 0) + 1} aria-valuetext=${reading || t('chart.keys')}
      onKeyDown=${keyPressed} onFocus=${() => setAt(at ?? 0)} onBlur=${() => setAt(undefined)} onPointerMove=${pointed} onPointerDown=${pointed} onPointerLeave=${() => setAt(undefined)}>
      <svg viewBox=${`0 0 ${plot.width} ${plot.height}`} width=${plot.width} height=${plot.height} aria-hidden="true">
        ${at !== undefined && html`<rect class="band" ...${plot.band(at)} />`}
        <g class="axes">
          ${plot.lines.map(({ path, isZero }) => html`<path d=${path} class=${isZero ? 'zero' : ''} />`)}
          ${plot.texts.map(({ text, x, y, anchor, isLabel }) => html`<text x=${x} y=${y} text-anchor=${anchor} class=${isLabel ? 'of-label' : 'of-value'}>${text}</text>`)}
        </g>
        ${plot.marks.map((marks, of) => html`<${kind === 'line' ? Line : Bars} marks=${marks} of=${of} name=${series[of].name} labels=${labels} />`)}
      </svg>
      ${at !== undefined && html`<${Reading} series=${series} labels=${labels} at=${at} language=${language} plot=${plot} />`}
    </div>
  `;
}

/** @param {{marks: import('./plot.js').Mark[], of: number, name: string, labels: string[]}} props */
function Line({ marks, of, name, labels }) {
  return html`
    <g class=${`line series-${of % COLOURS}`}>
      <path d=${lineThrough(marks)} />
      ${pointsOf(marks).map(({ at, x, y, value }) => html`<circle cx=${x} cy=${y} r="3.5"><title>${`${labels[at]} · ${name}: ${value}`}</title></circle>`)}
    </g>
  `;
}

/** @param {{marks: import('./plot.js').Mark[], of: number, name: string, labels: string[]}} props */
function Bars({ marks, of, name, labels }) {
  return html`
    <g class=${`bars series-${of % COLOURS}`}>
      ${marks.map(({ at, box, value }) => html`<rect ...${box} rx="2"><title>${`${labels[at]} · ${name}: ${value}`}</title></rect>`)}
    </g>
  `;
}

/** The values at one label, beside it. @param {{series: Series[], labels: string[], at: number, language: string, plot: Plot}} props */
function Reading({ series, labels, at, language, plot }) {
  const { x, y, width } = plot.band(at);
  const middle = plot.isLying ? plot.width : x + width / 2;
  const isRight = middle > plot.width / 2;
  const style = { top: `${plot.isLying ? y : 0}px`, ...(isRight ? { right: `${plot.isLying ? 0 : plot.width - middle + 8}px` } : { left: `${middle + 8}px` }) };
  return html`
    <div class="reading" style=${style} aria-hidden="true">
      <b dir="auto">${labels[at]}</b>
      ${series.map(({ name, values }, of) => html`<span class=${`series-${of % COLOURS}`}><i></i><bdi>${name}</bdi><data>${shownValue(values[at], language)}</data></span>`)}
    </div>
  `;
}

/** @param {Series[]} series @param {string[]} labels @param {number} at @param {string} language */
function readingOf(series, labels, at, language) {
  return `${labels[at]}: ${series.map(({ name, values }) => `${name} ${shownValue(values[at], language)}`).join(', ')}`;
}

/** @param {any} value @param {string} language */
function shownValue(value, language) {
  if (isMissing(value)) return '–';
  return measured(value) === undefined ? `“${visible(plain(value))}”` : amount(value, language);
}

/** How wide a text of a chart is, in the font that it has. @param {HTMLElement | null} place */
function measureIn(place) {
  const context = document.createElement('canvas').getContext('2d');
  if (context) context.font = `13px ${getComputedStyle(place ?? document.body).fontFamily}`;
  return (/** @type {string} */ text) => context?.measureText(text).width ?? 7 * text.length;
}

/** Says which values are not in the drawing. @param {{values: unknown[], isEmpty: boolean, language: string}} props */
function Undrawn({ values, isEmpty }) {
  const odd = values.filter((value) => !isMissing(value) && measured(value) === undefined);
  if (odd.length === 0) return isEmpty && html`<p class="undrawn">${t('chart.nothing')}</p>`;
  const named = odd.slice(0, NAMED_MAX).map((value) => `“${visible(plain(value))}”`).join(', ');
  return html`<p class="undrawn">${t('chart.undrawn', { count: odd.length })} <bdi>${named}</bdi>${odd.length > NAMED_MAX && ' …'}</p>`;
}

/** @param {any} display @param {string} language @returns {{series: Series[], labels: string[], kind: 'line' | 'bar'}} */
function read(display, language) {
  const series = seriesOf(display);
  const count = series.reduce((most, { values }) => Math.max(most, values.length), 0);
  return { series, labels: labelsOf(display, count, language), kind: display.kind === 'line' ? 'line' : 'bar' };
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
  return all.map((one, at) => ({ name: visible(plain(one?.name)) || t('chart.series', { number: at + 1 }), values: list(one?.values ?? one) }));
}
