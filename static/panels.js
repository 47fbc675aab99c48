// The cockpit's panels, in the order of their tabs. Each is fetched, with its style sheet, when it is first shown.

import { lazy } from './lazy.js';

/** @typedef {{name: string, label: string, View: import('./lazy.js').View}} Panel  `name` stands in the address */

/** @type {Panel[]} */
export const PANELS = [
  { name: 'trace', label: 'Trace', View: lazy(async () => (await import('./trace.js')).TracePanel, 'trace.css') },
  { name: 'state', label: 'State', View: lazy(async () => (await import('./state.js')).StatePanel, 'state.css') },
];
