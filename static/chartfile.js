// A chart as a file: the drawing as it is on the screen, with its title, the names of its lines or bars, and a background.

import { download } from './download.js';

const SVG = 'http://www.w3.org/2000/svg';
const PADDING = 16;
const TITLE_HEIGHT = 28;
const LEGEND_HEIGHT = 22;
/** So that a picture is sharp on paper, too. */
const SCALE = 2;
/** What style sheets say on the page has to stand in the file. */
const STYLES = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linejoin', 'font-family', 'font-size', 'font-weight'];

/** @param {SVGSVGElement} drawn @param {{ending: 'png' | 'svg', name: string, title: string, series: string[]}} about */
export async function saveChart(drawn, { ending, name, title, series }) {
  const { markup, width, height } = markupOf(drawn, title, series);
  download(name, ending === 'svg' ? new Blob([markup], { type: 'image/svg+xml' }) : await picture(markup, width, height));
}

/** @param {SVGSVGElement} drawn @param {string} title @param {string[]} series */
function markupOf(drawn, title, series) {
  const copy = /** @type {SVGSVGElement} */ (drawn.cloneNode(true));
  const [from, to] = [drawn, copy].map((root) => [...root.querySelectorAll('*')]);
  from.forEach((element, at) => styled(to[at], getComputedStyle(element)));
  copy.querySelector('.band')?.remove();
  const legend = series.length > 1 ? series : [];
  const above = (title ? TITLE_HEIGHT : 0) + (legend.length > 0 ? LEGEND_HEIGHT : 0);
  const [width, height] = [drawn.viewBox.baseVal.width + 2 * PADDING, drawn.viewBox.baseVal.height + 2 * PADDING + above];
  const { color, fontFamily } = getComputedStyle(document.body);
  const root = put(document.createElementNS(SVG, 'svg'), { xmlns: SVG, viewBox: `0 0 ${width} ${height}`, width, height, 'font-family': fontFamily });
  root.append(put(document.createElementNS(SVG, 'rect'), { width, height, fill: backgroundOf(drawn) }));
  if (title) root.append(text(title, { x: PADDING, y: PADDING + 16, fill: color, 'font-size': 16, 'font-weight': 600 }));
  let x = PADDING;
  legend.forEach((one, at) => {
    const y = PADDING + (title ? TITLE_HEIGHT : 0) + 12;
    const group = drawn.querySelectorAll('.line, .bars')[at];
    root.append(put(document.createElementNS(SVG, 'rect'), { x, y: y - 10, width: 11, height: 11, rx: 2, fill: group ? getComputedStyle(group).color : color }));
    root.append(text(one, { x: x + 16, y, fill: color, 'font-size': 13 }));
    x += 32 + 7 * one.length;
  });
  const group = put(document.createElementNS(SVG, 'g'), { transform: `translate(${PADDING} ${PADDING + above})` });
  group.append(...copy.childNodes);
  root.append(group);
  return { markup: new XMLSerializer().serializeToString(root), width, height };
}

/** @param {Element} element @param {CSSStyleDeclaration} style */
function styled(element, style) {
  for (const property of STYLES) {
    const value = style.getPropertyValue(property);
    if (value && value !== 'none') element.setAttribute(property, value);
    else if (property === 'fill') element.setAttribute(property, 'none');
  }
  element.removeAttribute('class');
}

/** @param {string} said @param {Record<string, string | number>} attributes */
function text(said, attributes) {
  const element = put(document.createElementNS(SVG, 'text'), attributes);
  element.textContent = said;
  return element;
}

/** @template {Element} T @param {T} element @param {Record<string, string | number>} attributes @returns {T} */
function put(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) if (name !== 'xmlns') element.setAttribute(name, String(value));
  return element;
}

/** The first colour behind it that isn't transparent. @param {Element} element */
function backgroundOf(element) {
  for (let at = /** @type {Element | null} */ (element); at; at = at.parentElement) {
    const { backgroundColor } = getComputedStyle(at);
    if (!/^rgba\(.*, 0\)$|^transparent$/.test(backgroundColor)) return backgroundColor;
  }
  return 'white';
}

/** @param {string} markup @param {number} width @param {number} height @returns {Promise<Blob>} */
async function picture(markup, width, height) {
  const image = new Image();
  // The page's policy takes pictures out of its own text, not out of a blob.
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(markup)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = width * SCALE;
  canvas.height = height * SCALE;
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The picture is too large.'))), 'image/png'));
}
