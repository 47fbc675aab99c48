// The conversation as data: what the server's events do to the list of turns.
//
// Pure: no page, no network, no clock. A turn is one question and all that came of it. The page gives each message and action
// of its own a client id; the server names the turn that belongs to it.
//
// What is on the screen stays there: a turn that the server no longer has is gone, and kept to be read, unless the user erased it.
//
// Invariants: no two turns have the same id or client id; a turn object is never changed, only replaced; pending turns come last.

/** `unsent`: no connection. `waiting`: behind the turn that runs. `sent`: not yet acknowledged. These three are pending.
 * @typedef {'unsent' | 'waiting' | 'sent' | 'running' | 'done' | 'stopped' | 'failed' | 'partial'} Status */

/** @typedef {object} Turn
 * @property {number} key      for the view: stays when the id comes
 * @property {string} id       `msg_7`; empty until the server has named it
 * @property {string} clientId the page's own name for it; empty for turns that others started
 * @property {'message' | 'action'} kind
 * @property {string | null} question  null: not known
 * @property {object} [sent]   the body of its request
 * @property {boolean} [isQueued] the server has it, and another turn runs before it
 * @property {boolean} [isStarted] its start was seen, so the history has it
 * @property {boolean} [isGone] the server has it no more: it has no id, and can only be read
 * @property {string} progress what nodes reported while they worked
 * @property {number} [rows]   how many its queries returned
 * @property {string} answer
 * @property {Status} status
 * @property {string} [trouble] the last error that was reported while it ran
 * @property {string} [error]  why it failed, in a sentence for the user
 * @property {import('./contract.js').Variant[]} variants  what stood here before, the oldest first */

let keys = 0;

/** @param {Partial<Turn>} fields @returns {Turn} */
function turn(fields) {
  keys += 1;
  return { key: keys, id: '', clientId: '', kind: 'message', question: null, progress: '', answer: '', status: 'done', variants: [], ...fields };
}

const BUTTON = /^(machine|action)/;
/** Messages that a history has at most. */
const HISTORY_MAX = 200;

/** Turns out of `/api/history`; one with a question and nothing else is running. What the page knew of a turn beyond the
 * history, it keeps. Steps of a machine are not in the history: they come out of the traces.
 * @param {import('./contract.js').Message[]} messages @param {Turn[]} [before] @param {import('./contract.js').Trace[]} [traces] @returns {Turn[]} */
export function remembered(messages, before = [], traces = []) {
  /** @type {Map<string, Turn>} */
  const turns = new Map();
  const shown = new Map(before.filter(({ id }) => id !== '').map((known) => [known.id, known]));
  for (const { role, content, id } of messages) {
    // A server that lost everything counts from the start again: the same id is another turn.
    const known = role === 'user' && shown.get(id);
    if (known && known.question !== null && known.question !== content) shown.delete(id);
  }
  for (const { id, message, path, client_id: clientId = '' } of traces) {
    // Traces reach back to before the conversation was cleared.
    const isOfThis = messages[0] && numberOf(id) > numberOf(messages[0].id);
    if (isOfThis && BUTTON.test(path)) turns.set(id, { ...turn({ id, clientId, kind: 'action', question: message }), ...shown.get(id) });
  }
  for (const { role, content, id, partial, progress, client_id: clientId, variants = [] } of messages) {
    const known = turns.get(id) ?? { ...(shown.get(id) ?? turn({ id })), status: 'running', answer: '' };
    if (role === 'user') Object.assign(known, { question: content, variants });
    else Object.assign(known, { answer: content, status: 'done' });
    if (partial) known.status = endingSeen(shown.get(id)) ?? 'partial';
    if (progress) known.progress = progress;
    if (clientId) known.clientId = clientId;
    turns.set(id, known);
  }
  for (const known of turns.values()) if (known.status === 'running') Object.assign(known, { progress: '', isStarted: true });
  const now = [...turns.values()].sort((one, other) => numberOf(one.id) - numberOf(other.id));
  return withOlder(now, before.filter((known) => !isPending(known)), messages.length >= HISTORY_MAX);
}

/** The turns of the history, and in their places those that were on the screen and aren't in it.
 * @param {Turn[]} now @param {Turn[]} before without what is pending @param {boolean} isCut whether the history is as long as it gets @returns {Turn[]} */
function withOlder(now, before, isCut) {
  const keys = new Set(now.map(({ key }) => key));
  const named = new Set(now.map(({ clientId }) => clientId));
  const replaced = new Set(now.flatMap(({ variants }) => variants.map(({ id }) => id)));
  const goesOn = isCut || before.every((known) => known.id === '' || isJustTaken(known)) || before.some(({ key }) => keys.has(key));
  const [first, latest] = [numberOf(now[0]?.id ?? ''), lastNumber(now)];
  /** What left the history because that is long, steps of a machine, which are never in it, and what has just begun. @param {Turn} known */
  const isThere = (known) => goesOn && (numberOf(known.id) < first || isWordless(known) || (isJustTaken(known) && numberOf(known.id) > latest));
  const all = [...now];
  let at = 0;
  for (const known of before.filter(({ id }) => !replaced.has(id))) {
    const place = all.findIndex(({ key }) => key === known.key);
    // It was stopped before the server named it, and had reached it all the same.
    const isTwice = known.id === '' && known.clientId !== '' && named.has(known.clientId);
    if (place < 0 && !isTwice) all.splice(at, 0, known.id === '' || isThere(known) ? known : gone(known));
    at = place < 0 ? at + Number(!isTwice) : place + 1;
  }
  return all;
}

/** The server has acknowledged it, and the history may have been read before that. @param {Turn} known */
function isJustTaken({ status, isStarted }) {
  return status === 'running' && !isStarted;
}

/** @param {Turn} known @returns {Turn} */
function gone(known) {
  return { ...known, id: '', clientId: '', isGone: true, isQueued: false, status: known.status === 'running' ? 'partial' : known.status };
}

/** The history says only that an answer broke off; who saw it end knows why. @param {Turn | undefined} known */
function endingSeen(known) {
  return known && (known.status === 'stopped' || known.status === 'failed') ? known.status : undefined;
}

/** The history, and behind it what was written here and isn't in it.
 * @param {Turn[]} turns from the history @param {Partial<Turn>[]} pending @param {import('./contract.js').Trace[]} [traces] @returns {Turn[]} */
export function continued(turns, pending, traces = []) {
  const known = new Set([...turns.map(({ clientId }) => clientId), ...traces.map(({ client_id: clientId }) => clientId)]);
  return [...turns, ...pending.filter(({ clientId }) => !known.has(clientId ?? '')).map((fields) => ('key' in fields ? /** @type {Turn} */ (fields) : turn(fields)))];
}

/** @param {Turn[]} turns @param {Partial<Turn>} fields @returns {Turn[]} */
export function begun(turns, fields) {
  return [...turns, turn(fields)];
}

/** The number of the last turn that has one. @param {{id: string}[]} turns */
export function lastNumber(turns) {
  return Math.max(0, ...turns.map(({ id }) => numberOf(id)));
}

/** The number in `msg_7`; 0 without one. @param {string} id */
export function numberOf(id) {
  return Number(id.slice('msg_'.length)) || 0;
}

/** The turns after an event of the stream. @param {Turn[]} turns @param {any} event @returns {Turn[]} */
export function after(turns, event) {
  switch (event.event) {
    case 'turn_started':
      return changed(turns, event, (known) => ({ status: 'running', isQueued: false, isStarted: true, ...named(known, event.entry === 'message', event.message) }));
    case 'frame_trace':
      return changed(turns, { turn: event.trace.id, client_id: event.trace.client_id }, (known) => ending(known, event.trace));
    case 'replaced':
      return changed(without(turns, event.turns), event, () => ({ variants: event.variants }));
    case 'withdrawn':
      return pendingLast(turns.map((known) => (known.id === event.turn ? gone(known) : known)));
    case 'cleared':
      return pendingLast(turns.map((known) => (isPending(known) || known.isGone ? known : gone(known))));
  }
  const known = turns[placeOf(turns, event.turn, '')];
  // What happens behind an answer doesn't change it.
  if (known?.status !== 'running') return turns;
  const { key, answer, progress } = known;
  if (event.event === 'streaming') return replaced(turns, key, { answer: answer + event.text });
  // Some of what was shown turned out to be a thought of the model, or not the answer.
  if (event.event === 'retold') return replaced(turns, key, { answer: event.text });
  if (event.event === 'thinking' && event.kind === 'progress') return replaced(turns, key, { progress: progress + event.detail });
  // What the database holds, not how it is built.
  if (event.event === 'tool_result' && event.tool === 'query' && event.rows !== undefined) return replaced(turns, key, { rows: (known.rows ?? 0) + event.rows });
  return event.event === 'error' ? replaced(turns, key, { trouble: event.detail }) : turns;
}

/** @param {Turn[]} turns @param {string[]} ids of those that are in the history no more */
function without(turns, ids) {
  return turns.filter(({ id }) => !ids.includes(id));
}

/** The turn that can be tried again, if any: the last one that is in the history. @param {Turn[]} turns */
export function last(turns) {
  return turns.findLast((known) => !isPending(known) && !isWordless(known) && !known.isGone);
}

/** A button that needed no words: mostly a machine's step, which is not in the history. @param {Turn} known */
export function isWordless({ kind, status, answer, progress }) {
  return kind === 'action' && status === 'done' && !answer && !progress;
}

/** @param {Turn[]} turns @param {number} key @param {Partial<Turn>} fields @returns {Turn[]} */
function replaced(turns, key, fields) {
  return turns.map((known) => (known.key === key ? { ...known, ...fields } : known));
}

/** What others asked, the page learns from the event. @param {Turn} known @param {boolean} isMessage @param {string} message @returns {Partial<Turn>} */
function named(known, isMessage, message) {
  return known.question === null ? { kind: isMessage ? 'message' : 'action', question: message } : {};
}

/** @param {Turn} known @param {import('./contract.js').Trace} trace @returns {Partial<Turn>} */
function ending(known, { status, message, path }) {
  const about = named(known, !BUTTON.test(path), message);
  if (status === 'cancelled') return { ...about, isQueued: false, status: 'stopped' };
  return status === 'error' ? { ...about, isQueued: false, status: 'failed', error: known.trouble } : { ...about, isQueued: false, status: 'done' };
}

/** @param {Turn[]} turns @param {{turn: string, client_id?: string}} which @param {(known: Turn) => Partial<Turn>} change @returns {Turn[]} */
function changed(turns, { turn: id, client_id: clientId = '' }, change) {
  const at = placeOf(turns, id, clientId);
  const known = turns[at] ?? turn({ status: 'running', clientId });
  const next = { ...known, id, isGone: undefined, ...change(known) };
  if (at >= 0) return turns.with(at, next);
  const pending = turns.findIndex(isPending);
  return turns.toSpliced(pending < 0 ? turns.length : pending, 0, next);
}

/** @param {Turn[]} turns @param {string} id @param {string} clientId */
function placeOf(turns, id, clientId) {
  return turns.findLastIndex((known) => (id !== '' && known.id === id) || (clientId !== '' && known.clientId === clientId));
}

/** The server has acknowledged a message or action, and named its turn: it runs, or waits for the one that does. A turn from
 * before the last one that has started, and that no event spoke of, was forgotten.
 * @param {Turn[]} turns @param {string} clientId @param {string} id @param {number} lastStarted @returns {Turn[]} */
export function acknowledged(turns, clientId, id, lastStarted) {
  const at = placeOf(turns, '', clientId);
  if (at < 0 || turns[at].id) return turns;
  if (numberOf(id) <= lastStarted) return pendingLast(turns.with(at, { ...gone({ ...turns[at], status: 'partial' }), clientId }));
  return turns.with(at, { ...turns[at], id, status: 'running', isQueued: turns.some(({ status }) => status === 'running') });
}

/** @param {Turn[]} turns */
function pendingLast(turns) {
  return [...turns.filter((known) => !isPending(known)), ...turns.filter(isPending)];
}

/** Without what the user has erased. @param {Turn[]} turns @param {Turn[]} before those that were there then @returns {Turn[]} */
export function erased(turns, before) {
  const old = new Set(before.map(({ key }) => key));
  return turns.filter((known) => isPending(known) || !old.has(known.key));
}

/** @param {Turn[]} turns @param {string} clientId of a pending turn @param {Partial<Turn> | undefined} fields none takes it out @returns {Turn[]} */
export function held(turns, clientId, fields) {
  const at = turns.findIndex((known) => known.clientId === clientId && isPending(known));
  if (at < 0) return turns;
  return fields ? turns.with(at, { ...turns[at], ...fields }) : turns.toSpliced(at, 1);
}

/** @param {Turn[]} turns @param {boolean} isConnected @returns {Turn[]} */
export function pendingWhile(turns, isConnected) {
  const [before, now] = isConnected ? ['unsent', 'waiting'] : ['waiting', 'unsent'];
  return turns.map((known) => (known.status === before ? { ...known, status: /** @type {Status} */ (now) } : known));
}

/** What is pending is not sent any more. @param {Turn[]} turns @returns {Turn[]} */
export function withdrawn(turns) {
  return turns.map((known) => (isPending(known) ? { ...known, status: 'stopped' } : known));
}

/** @param {Pick<Turn, 'status'>} known */
export function isPending({ status }) {
  return status === 'unsent' || status === 'waiting' || status === 'sent';
}
