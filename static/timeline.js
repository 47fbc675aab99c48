// Trace events as data: what they make of the turn in progress and of the calls behind finished ones.
//
// Pure: no page, no network, no clock. Each event comes once, in order.
//
// Invariants: a turn that has a trace is not in progress; nothing is changed, only replaced.

/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').LiveCall} LiveCall */
/** @typedef {import('./contract.js').LiveFrame} LiveFrame */
/** @typedef {import('./contract.js').LiveTurn} LiveTurn */

/** As many as there are traces. */
const ERRORS_MAX = 20;
const BEHIND_MAX = 20;

/** @typedef {object} Timeline
 * @property {LiveTurn | null} running
 * @property {Record<string, string>} errors  what went wrong, by turn
 * @property {CallBehind[]} behind  calls behind answers, also those that have ended
 * @property {Trace[]} finished     traces that the last event closed; to be kept elsewhere */

/** A call behind a turn's answer; `at`: when it began, by the server's clock.
 * @typedef {LiveCall & {turn: string, at: number}} CallBehind */

/** @type {Timeline} */
export const beginning = { running: null, errors: {}, behind: [], finished: [] };

/** @param {Timeline} before @param {any} event @returns {Timeline} */
export function after(before, event) {
  const line = { ...before, finished: [] };
  if (event.event === 'frame_trace') return closed(line, event.trace);
  if (event.event === 'turn_started') return { ...line, running: turnOf(event) };
  if (!event.turn) return line;
  if (event.event === 'error') line.errors = noted(line.errors, event);
  if (event.frame === 0) return behindIt(line, event);
  const { running } = line;
  return { ...line, running: ahead(running && running.id === event.turn ? running : turnOf(event), event) };
}

/** @param {Timeline} line @param {Trace} trace @returns {Timeline} */
function closed(line, trace) {
  return { ...line, running: line.running?.id === trace.id ? null : line.running, finished: [trace] };
}

/** @param {Record<string, string>} errors @param {any} event @returns {Record<string, string>} */
function noted(errors, { turn, detail }) {
  const others = Object.entries(errors).filter(([id]) => id !== turn);
  return Object.fromEntries([...others.slice(1 - ERRORS_MAX), [turn, String(detail ?? '')]]);
}

/** @param {any} event its first @returns {LiveTurn} */
function turnOf({ turn, at, event }) {
  // Where its start was missed, nobody knows how long it runs.
  const isCut = event === 'turn_started' ? {} : { isCut: true };
  return { id: turn, status: 'running', started_at: at, frames: [], nodes: [], ...isCut };
}

/** @param {LiveTurn} turn @param {any} event @returns {LiveTurn} */
function ahead(turn, event) {
  const at = event.at - turn.started_at;
  const last = turn.frames.at(-1);
  let frames = turn.frames;
  if (!last || last.frame < event.frame) {
    frames = frames.map((frame) => (frame.ended_ms === undefined ? { ...frame, ended_ms: at, duration_ms: at - frame.started_ms } : frame));
    frames = [...frames, { frame: event.frame, nodes: [], started_ms: at, route: '', summary: '', calls: [] }];
  }
  frames = frames.map((frame) => (frame.frame === event.frame ? inFrame(frame, event, at) : frame));
  return { ...turn, frames, nodes: frames.at(-1)?.nodes ?? [] };
}

/** @param {LiveFrame} frame @param {any} event @param {number} at milliseconds after the turn's start @returns {LiveFrame} */
function inFrame(frame, event, at) {
  const isNew = event.node !== 'engine' && !frame.nodes.includes(event.node);
  const nodes = isNew ? [...frame.nodes, event.node] : frame.nodes;
  if (event.event === 'process_start') return { ...frame, nodes, calls: [...frame.calls, begun(event, at)] };
  if (event.event !== 'process_end') return isNew ? { ...frame, nodes } : frame;
  const known = frame.calls.find(({ pid }) => pid === event.pid);
  const call = ended(known ?? begun(event, at - event.duration_ms), event);
  const calls = known ? frame.calls.map((one) => (one === known ? call : one)) : [...frame.calls, call];
  return { ...frame, nodes, calls };
}

/** @param {any} event @param {number} at @returns {LiveCall} */
function begun({ pid, kind, label, node }, at) {
  return { pid, kind, label, node, started_ms: at, status: 'running' };
}

/** @param {LiveCall} call @param {any} event @returns {LiveCall} */
function ended(call, { status, duration_ms, waited_ms, usage }) {
  return { ...call, status, duration_ms, waited_ms, usage };
}

/** A call behind a turn's answer. Once ended it is kept for a while: traces that were read before may know nothing of it.
 * @param {Timeline} line @param {any} event @returns {Timeline} */
function behindIt(line, event) {
  const { turn, at } = event;
  if (event.event === 'process_start') return withBehind(line, { ...begun(event, 0), turn, at });
  if (event.event !== 'process_end') return line;
  const known = line.behind.find(({ pid }) => pid === event.pid) ?? { ...begun(event, 0), turn, at: at - event.duration_ms };
  return withBehind(line, { ...ended(known, event), turn, at: known.at });
}

/** @param {Timeline} line @param {CallBehind} call @returns {Timeline} */
function withBehind(line, call) {
  const others = line.behind.filter(({ pid }) => pid !== call.pid);
  return { ...line, behind: [...others, call].slice(-BEHIND_MAX) };
}
