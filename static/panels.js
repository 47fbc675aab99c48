// The cockpit's panels, in the order of their tabs. Each is fetched, with its style sheet, when it is first shown.

import { lazy } from './lazy.js';

/** @typedef {{name: string, label: string, View: import('./lazy.js').View}} Panel  `name` stands in the address */

/** A style sheet with this id stands in for the one that the drawing of graphs would write into the page, which our policy refuses. */
const DRAWINGS_OWN = '__________cytoscape_stylesheet';

/** @type {Panel[]} */
export const PANELS = [
  { name: 'trace', label: 'Trace', View: lazy(async () => (await import('./trace.js')).TracePanel, 'trace.css') },
  { name: 'graph', label: 'Graph', View: lazy(async () => (await import('./graph.js')).GraphPanel, 'graph.css', DRAWINGS_OWN) },
  { name: 'tests', label: 'Tests', View: lazy(async () => (await import('./tests.js')).TestsPanel, 'tests.css') },
  { name: 'state', label: 'State', View: lazy(async () => (await import('./state.js')).StatePanel, 'state.css') },
];
