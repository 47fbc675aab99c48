// The shapes that the server speaks, as far as the page reads them. Types only: nothing imports this file at run time.

/** @typedef {object} Control  a button, or a display whose further fields depend on its type
 * @property {string} type
 * @property {string} [label]
 * @property {string} [key]     a display's entry in the user interface state
 * @property {string} [action]  a button's
 * @property {unknown} [payload]
 * @property {string} [go]
 * @property {string} [source]  `thinker` or `machine:<id>` */

/** @typedef {{id: string, current: string, states: {name: string, buttons: Control[], content: Control[]}[]}} Machine */

/** @typedef {{prompt_tokens?: number, completion_tokens?: number, total_tokens?: number}} Usage */

/** @typedef {object} Call
 * @property {number} pid
 * @property {string} kind  `llm`, `db` or `http`
 * @property {string} label
 * @property {number} started_ms
 * @property {number} duration_ms
 * @property {string} status
 * @property {Usage} [usage] */

/** @typedef {object} Frame
 * @property {number} frame
 * @property {string[]} nodes
 * @property {number} started_ms
 * @property {number} duration_ms
 * @property {string} route
 * @property {string} summary
 * @property {Call[]} calls */

/** @typedef {object} Trace
 * @property {string} id
 * @property {string} message
 * @property {string} graph
 * @property {string} path
 * @property {number} total_frames
 * @property {number} total_ms
 * @property {'done' | 'error' | 'cancelled'} status
 * @property {Usage} [usage]
 * @property {Frame[]} frames
 * @property {Call[]} [background] */

/** @typedef {{role: string, content: string, id: string, partial?: boolean}} Message */

export {};
