// The cockpit's panels, in the order of their tabs. Each is fetched, with its style sheet, when it is first shown.

import { t } from './i18n.js';
import { lazy } from './lazy.js';

/** `name` stands in the address. @typedef {{name: string, label: () => string, View: import('./lazy.js').View}} Panel */

/** A style sheet with this id stands in for the one that the drawing of graphs would write into the page, which our policy refuses. */
const DRAWINGS_OWN = '__________cytoscape_stylesheet';

/** @type {Panel[]} */
export const PANELS = [
  { name: 'trace', label: () => t('cockpit.trace'), View: lazy(async () => (await import('./trace.js')).TracePanel, 'trace.css') },
  { name: 'graph', label: () => t('cockpit.graph'), View: lazy(async () => (await import('./graph.js')).GraphPanel, 'graph.css', DRAWINGS_OWN) },
  { name: 'turns', label: () => t('cockpit.turns'), View: lazy(async () => (await import('./turns.js')).TurnsPanel, 'turns.css') },
  { name: 'tests', label: () => t('cockpit.tests'), View: lazy(async () => (await import('./tests.js')).TestsPanel, 'tests.css') },
  { name: 'state', label: () => t('cockpit.state'), View: lazy(async () => (await import('./state.js')).StatePanel, 'state.css') },
];
