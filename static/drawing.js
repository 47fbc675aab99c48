// The drawing of a graph: the library's canvas, in the page's colours. It shows what the list of nodes beside it says, for the
// eyes; hands and ears have the list. The library is fetched with the first drawing.
//
// It changes with the list, before either is painted: no frame shows the graph before, or the library's own colours.

import { html, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { t } from './i18n.js';
import { NODE_WIDTH, layout } from './layout.js';
import { theme } from './theme.js';

/** @typedef {import('./contract.js').Graph} Graph */
/** @typedef {import('./highlight.js').Lit} Lit */
/** @typedef {import('cytoscape').Core} Core */

const PADDING = 14;
const ZOOM_MAX = 1.1;
const STATES = ['running', 'done', 'error', 'stopped'];
const COLOURS = ['paper', 'sheet', 'ink', 'soft', 'edge', 'accent', 'accent-tint', 'on-accent', 'bad'];

/** @param {{graph: Graph, lit: Lit, chosen: string, onChoose: (node: string) => void}} props */
export function Drawing({ graph, lit, chosen, onChoose }) {
  /** @type {{current: HTMLElement | null}} */
  const host = useRef(null);
  /** @type {[Core | undefined, (picture: Core | undefined) => void]} */
  const [picture, setPicture] = useState(/** @type {Core | undefined} */ (undefined));
  const [tries, setTries] = useState(0);
  const [isMissing, setMissing] = useState(false);
  const choose = useRef(onChoose);
  choose.current = onChoose;

  useLayoutEffect(() => {
    /** @type {Core | undefined} */
    let drawn;
    let isGone = false;
    setMissing(false);
    import('./vendor/cytoscape.mjs').then(
      ({ default: cytoscape }) => {
        if (isGone || !host.current) return;
        drawn = cytoscape({ container: host.current, ...elements(graph), ...MANNERS });
        drawn.on('tap', 'node', ({ target }) => choose.current(target.id()));
        setPicture(drawn);
      },
      () => isGone || setMissing(true),
    );
    return () => {
      isGone = true;
      setPicture(undefined);
      drawn?.destroy();
    };
  }, [graph, tries]);

  useLayoutEffect(() => {
    if (picture && host.current) picture.style(/** @type {any} */ (styles(host.current)));
  }, [picture, theme.value]);

  // After the styles: how large labels are decides how large everything is.
  useLayoutEffect(() => {
    const element = host.current;
    if (!picture || !element) return;
    let width = 0;
    function fit() {
      // Fitting sets the height, which must not fit again.
      if (picture && element && element.clientWidth !== width) fitted(picture, element);
      width = element?.clientWidth ?? 0;
    }
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(element);
    return () => observer.disconnect();
  }, [picture]);

  useLayoutEffect(() => {
    if (picture) show(picture, lit, chosen);
  }, [picture, lit, chosen]);

  if (isMissing) {
    return html`<p class="hint">${t('drawing.missing')} <button type="button" class="quiet" onClick=${() => setTries(tries + 1)}>${t('drawing.again')}</button></p>`;
  }
  return html`<div class="drawing" ref=${host} role="img" aria-label=${t('drawing.label', { graph: graph.name })}></div>`;
}

/** It neither moves nor takes the wheel or a swipe from the page. */
const MANNERS = { userZoomingEnabled: false, userPanningEnabled: false, boxSelectionEnabled: false, autoungrabify: true, autounselectify: true };

/** @param {Graph} graph @returns {any} */
function elements({ cytoscape: { nodes, edges } }) {
  const { places, bows } = layout(nodes.map(({ data }) => data.id), edges.map(({ data }) => data));
  return {
    layout: { name: 'preset' },
    elements: [
      ...nodes.map(({ data }) => ({ data: { ...data }, position: places[data.id], classes: isAside(data.id, edges) ? 'aside' : '' })),
      ...edges.map(({ data }) => ({ data: { ...data, bow: bows[data.id] ?? 0 }, classes: `${data.kind}${bows[data.id] ? ' bowed' : ''}` })),
    ],
  };
}

/** Not a frame of its own: it runs with one, before or after. @param {string} id @param {Graph['cytoscape']['edges']} edges */
function isAside(id, edges) {
  return !edges.some(({ data }) => data.kind === 'route' && (data.source === id || data.target === id));
}

/** As large as there is room, and as high as it needs to be. @param {Core} picture @param {HTMLElement} element */
function fitted(picture, element) {
  const box = picture.elements().boundingBox({ includeLabels: true });
  const zoom = Math.min(ZOOM_MAX, (element.clientWidth - 2 * PADDING) / box.w);
  element.style.height = `${Math.ceil(box.h * zoom + 2 * PADDING)}px`;
  picture.resize();
  picture.viewport({ zoom, pan: { x: element.clientWidth / 2 - (zoom * (box.x1 + box.x2)) / 2, y: PADDING - zoom * box.y1 } });
}

/** @param {Core} picture @param {Lit} lit @param {string} chosen */
function show(picture, lit, chosen) {
  picture.batch(() => {
    picture.nodes().forEach((node) => {
      const state = lit.nodes[node.id()];
      for (const name of STATES) node.toggleClass(name, name === state);
      node.toggleClass('chosen', node.id() === chosen);
    });
    picture.edges().forEach((edge) => void edge.toggleClass('taken', lit.edges.has(edge.id())));
  });
}

/** The page's colours as they are in its present theme: a canvas can't read variables. @param {HTMLElement} element */
function colours(element) {
  const probe = document.createElement('i');
  element.append(probe);
  const read = (/** @type {string} */ name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const all = Object.fromEntries(COLOURS.map((name) => [name, read(name)]));
  probe.remove();
  return all;
}

/** @param {HTMLElement} element */
function styles(element) {
  const colour = colours(element);
  const font = getComputedStyle(element).fontFamily;
  return [
    {
      selector: 'node',
      style: {
        shape: 'round-rectangle', width: NODE_WIDTH, height: 36, label: 'data(label)', 'font-family': font, 'font-size': 14, 'text-valign': 'center',
        'text-max-width': `${NODE_WIDTH - 10}px`, 'text-wrap': 'ellipsis', color: colour.ink, 'background-color': colour.sheet,
        'border-width': 1.5, 'border-color': colour.soft, 'overlay-opacity': 0,
      },
    },
    { selector: 'node.aside', style: { width: 92, height: 30, 'font-size': 13, color: colour.soft, 'border-style': 'dashed' } },
    { selector: 'node.done', style: { 'background-color': colour['accent-tint'], 'border-color': colour.accent, 'border-width': 2, color: colour.ink } },
    {
      selector: 'node.running',
      style: {
        'background-color': colour.accent, 'border-color': colour.accent, 'border-width': 2, color: colour['on-accent'], 'font-weight': 600,
        'underlay-color': colour.accent, 'underlay-opacity': 0.22, 'underlay-padding': 9, 'underlay-shape': 'round-rectangle',
      },
    },
    { selector: 'node.error', style: { 'background-color': colour.bad, 'border-color': colour.bad, 'border-width': 2, color: colour.paper, 'font-weight': 600 } },
    { selector: 'node.stopped', style: { 'border-color': colour.bad, 'border-width': 2, 'border-style': 'dashed', color: colour.ink } },
    { selector: 'node.chosen', style: { 'outline-width': 2, 'outline-color': colour.ink, 'outline-offset': 3, 'outline-opacity': 1 } },
    {
      selector: 'edge',
      style: {
        width: 1.5, 'line-color': colour.edge, 'target-arrow-color': colour.edge, 'target-arrow-shape': 'triangle', 'arrow-scale': 0.9, 'curve-style': 'straight',
        label: 'data(label)', 'font-family': font, 'font-size': 12, color: colour.soft, 'text-background-color': colour.sheet, 'text-background-opacity': 1,
        'text-background-padding': '3px', 'overlay-opacity': 0,
      },
    },
    { selector: 'edge.with, edge.before, edge.after', style: { 'line-style': 'dashed', label: '', 'arrow-scale': 0.7 } },
    {
      selector: 'edge.bowed',
      style: { 'curve-style': 'unbundled-bezier', 'control-point-distances': (/** @type {any} */ edge) => bent(edge), 'control-point-weights': [0.2, 0.8] },
    },
    { selector: 'edge.taken', style: { width: 3, 'line-color': colour.accent, 'target-arrow-color': colour.accent, color: colour.accent, 'font-weight': 600, 'z-index': 2 } },
  ];
}

/** The library measures from the left of an edge's direction, and edges run downwards. @param {any} edge */
function bent(edge) {
  const distance = -edge.data('bow');
  return [distance, distance];
}
