// The shapes that the server speaks, as far as the page reads them. Types only: nothing imports this file at run time.

/** @typedef {object} Control  a button, a display whose further fields depend on its type, or an approval, whose buttons are its own
 * @property {string} type
 * @property {string} [label]
 * @property {string} [key]     a display's entry in the user interface state
 * @property {string} [action]  a button's
 * @property {unknown} [payload]
 * @property {string} [language]  a display's: how its numbers are written
 * @property {string} [go]
 * @property {string} [source]  `thinker`, `machine:<id>` or `approval:<pid>` */

/** @typedef {{id: string, initial?: string, current: string, states: {name: string, buttons: Control[], content: Control[]}[]}} Machine */

/** `cost_micros`: millionths of the unit that the configured prices are in.
 * @typedef {{prompt_tokens?: number, completion_tokens?: number, total_tokens?: number, cached_tokens?: number, cost_micros?: number}} Usage */

/** @typedef {object} Call
 * @property {number} pid
 * @property {string} kind  `llm`, `db`, `approval` or `http`
 * @property {string} label
 * @property {number} started_ms
 * @property {number} duration_ms
 * @property {number} [waited_ms]  in the queue, as part of the duration
 * @property {string} status
 * @property {string} [code]  why it failed
 * @property {string[]} [retries]  why it was made again before there was an answer, a line for each time
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
 * @property {string} [client_id]
 * @property {string} message
 * @property {string} graph
 * @property {string} path
 * @property {number} started_at  milliseconds since the epoch, by the server's clock
 * @property {number} total_frames
 * @property {number} total_ms
 * @property {'done' | 'error' | 'cancelled'} status
 * @property {string} [degraded]  why the answer may be less than it seems
 * @property {string} [reloaded]  the start of the graph's hash, where a reload changed the graph since the turn before
 * @property {Usage} [usage]
 * @property {Frame[]} frames
 * @property {Call[]} [background] */

/** @typedef {object} LiveCall  a call as events show it; without a duration it is out
 * @property {number} pid
 * @property {string} kind
 * @property {string} label
 * @property {string} [node]
 * @property {number} started_ms
 * @property {number} [duration_ms]
 * @property {number} [waited_ms]
 * @property {string} status  `running` while it is out
 * @property {string} [code]
 * @property {string[]} [retries]
 * @property {Usage} [usage] */

/** @typedef {object} LiveFrame  without an end it is the one that runs
 * @property {number} frame
 * @property {string[]} nodes
 * @property {number} started_ms
 * @property {number} [ended_ms]
 * @property {number} [duration_ms]
 * @property {string} route
 * @property {string} summary
 * @property {LiveCall[]} calls */

/** @typedef {object} LiveTurn  a turn in progress, in the shape of its trace
 * @property {string} id
 * @property {'running'} status
 * @property {number} started_at  milliseconds since the epoch, by the server's clock
 * @property {LiveFrame[]} frames
 * @property {string[]} nodes     those at work now
 * @property {boolean} [isCut]     its start was missed */

/** @typedef {object} Process  a call that is out now
 * @property {number} pid
 * @property {string} kind
 * @property {string} label
 * @property {string} turn
 * @property {number} started_at */

/** @typedef {object} Memory
 * @property {string | null} [user_name]
 * @property {string | null} [user_mood]
 * @property {string | null} [topic]
 * @property {string[]} [topic_history]
 * @property {string | null} [situation]
 * @property {string | null} [language]
 * @property {string | null} [style_hint]
 * @property {string[]} [facts] */

/** `progress`: what nodes told while they worked. `variants`: what stood in the place of a user's message before.
 * @typedef {{role: string, content: string, id: string, client_id?: string, partial?: boolean, progress?: string, variants?: Variant[]}} Message */

/** A message as it was before it was edited or answered again, and what came after it. `cut`: not all of it is kept.
 * @typedef {{id: string, messages: Message[], cut?: boolean}} Variant */

/** @typedef {object} GraphEdge
 * @property {string} id
 * @property {string} source
 * @property {string} target
 * @property {string} label  the route's name
 * @property {string} kind   `route`; `with`, `before` and `after` for what runs beside a path */

/** @typedef {{name: string, kind: string, model: string | null, schema: string | null, tools: string[]}} GraphNode */

/** @typedef {{name: string, nodes: string[], frames: number, calls: number}} GraphPath */

/** @typedef {{name: string, description: string, paths: GraphPath[]}} GraphEntry */

/** @typedef {object} Graph
 * @property {string} name
 * @property {string} description
 * @property {GraphNode[]} nodes
 * @property {GraphPath[]} paths
 * @property {{nodes: {data: {id: string, label: string, kind: string}}[], edges: {data: GraphEdge}[]}} cytoscape */

/** @typedef {object} Prompt  what a node would be asked now
 * @property {string} node
 * @property {string} model
 * @property {{role: string, content: string}[]} messages
 * @property {object | null} schema
 * @property {{name: string, description: string, parameters: object}[]} tools */

/** @typedef {object} CallInFull
 * @property {number} pid
 * @property {string} node
 * @property {number} frame
 * @property {{messages?: {role: string, content: string}[], ask?: any, [further: string]: unknown}} request
 * @property {string} [answer]
 * @property {{text?: string, model?: string, finish?: string, thoughts?: string, database?: any, [further: string]: unknown}} [reply]  the answer as data, where it was kept whole */

/** @typedef {object} ListedTurn
 * @property {string} [user]  where turns of all users are listed
 * @property {string} session
 * @property {string} id
 * @property {string} question
 * @property {number} started_at
 * @property {string} status
 * @property {string | null} degraded
 * @property {string} graph
 * @property {string} path
 * @property {number} total_ms
 * @property {number | null} first_token_ms
 * @property {number} tokens_in
 * @property {number} tokens_out
 * @property {number} cost_micros
 * @property {number | null} rating
 * @property {string | null} comment
 * @property {boolean} [replaced] */

/** @typedef {object} TestResult
 * @property {string} suite
 * @property {string} step
 * @property {string} check
 * @property {string} status  `PASS`, `FAIL` or `SKIP`
 * @property {string} [detail]
 * @property {number} [elapsed_ms]
 * @property {string} [file]
 * @property {number} [line]
 * @property {string} [expected]
 * @property {string} [got]
 * @property {string} [path]
 * @property {number} [frames]
 * @property {string} [session]
 * @property {string} [turn]
 * @property {boolean} [reported]  tells something that does not count */

/** What `/auth/config` says. @typedef {{enabled: boolean, issuer: string | null, clientId: string | null, projectId: string | null}} AuthConfig */

/** What a user may use up in a day, and how much of it is left.
 * @typedef {{limit: number, left: number}} Share */
/** @typedef {{turns?: Share, tokens?: Share, cost?: Share, resets_at?: number}} Budget */

/** @typedef {{name: string, file: string, title?: string, steps?: number, checks?: number, error?: string}} SuiteEntry */

export {};
