// The conversation as data: what the server's events do to the list of turns.
//
// Pure: no page, no network, no clock. A turn is one question and all that came of it. Turns that the user began here have
// no id until the server speaks of them: it takes them in order, so the first one waiting is the one meant.
//
// Invariants: no two turns have the same id; a turn object is never changed, only replaced; what waits stands last.

/** `unsent`: no connection yet. `waiting`: with the server. `lost`: the connection broke and no turn came of it.
 * @typedef {'unsent' | 'waiting' | 'running' | 'done' | 'stopped' | 'failed' | 'partial' | 'lost'} Status */

/** @typedef {object} Turn
 * @property {number} key      for the view: stays when the id comes
 * @property {string} id       `msg_7`; empty while the server hasn't named it
 * @property {'message' | 'action'} kind
 * @property {string | null} question  null: begun elsewhere, not known yet
 * @property {object} [sent]   what went over the socket
 * @property {number} [after]  the last turn's number when it was sent
 * @property {number} [socket] which of the sockets it was sent over
 * @property {string} progress what nodes said while they worked
 * @property {string} answer
 * @property {Status} status
 * @property {string} [error]  the sentence for the user */

let keys = 0;

/** @param {Partial<Turn>} fields @returns {Turn} */
function turn(fields) {
  keys += 1;
  return { key: keys, id: '', kind: 'message', question: null, progress: '', answer: '', status: 'done', ...fields };
}

const BUTTON = /^(machine|action)/;

/** Turns out of `/api/history`; one with a question and nothing else is taken for running. What the page knew of a turn
 * beyond the history, it keeps. What a machine's button did stands in its trace alone.
 * @param {import('./contract.js').Message[]} messages @param {Turn[]} [before] @param {import('./contract.js').Trace[]} [traces] @returns {Turn[]} */
export function remembered(messages, before = [], traces = []) {
  /** @type {Map<string, Turn>} */
  const turns = new Map();
  const shown = new Map(before.map((known) => [known.id, known]));
  for (const { id, message, path } of traces) {
    // Traces reach back to before the conversation was cleared.
    const isOfThis = messages[0] && numberOf(id) > numberOf(messages[0].id);
    if (isOfThis && BUTTON.test(path)) turns.set(id, { ...turn({ id, kind: 'action', question: message }), ...shown.get(id) });
  }
  for (const { role, content, id, partial, progress } of messages) {
    const known = turns.get(id) ?? { ...(shown.get(id) ?? turn({ id })), status: 'running', answer: '' };
    if (role === 'user') known.question = content;
    else Object.assign(known, { answer: content, status: 'done' });
    if (partial) known.status = endingSeen(shown.get(id)) ?? 'partial';
    if (progress) known.progress = progress;
    turns.set(id, known);
  }
  for (const known of turns.values()) if (known.status === 'running') known.progress = '';
  return [...turns.values()].sort((one, other) => numberOf(one.id) - numberOf(other.id));
}

/** The history says only that an answer broke off; who saw it end knows why. @param {Turn | undefined} known */
function endingSeen(known) {
  return known && (known.status === 'stopped' || known.status === 'failed') ? known.status : undefined;
}

/** The history, and behind it what was written here and isn't in it yet.
 * @param {Turn[]} turns from the history @param {Partial<Turn>[]} pending @returns {Turn[]} */
export function continued(turns, pending) {
  /** @type {Set<string>} */
  const taken = new Set();
  const missing = pending.filter(({ question, status, after }) => {
    // What was never sent is in no history, though the same may have been said before.
    if (status === 'unsent' && after === undefined) return true;
    const arrived = turns.find((known) => !taken.has(known.id) && numberOf(known.id) > (after ?? 0) && known.question?.trim() === question);
    if (arrived) taken.add(arrived.id);
    return !arrived;
  });
  return [...turns, ...missing.map((fields) => turn(fields))];
}

/** What `/api/result` says of the turn that runs or ran last: the answer so far, whole, however often it is asked.
 * @param {Turn[]} turns @param {{status: string, id: string, text?: string, partial?: string, detail?: string}} result @returns {Turn[]} */
export function reported(turns, { status, id, text, partial, detail }) {
  const known = turns.find((one) => one.id === id);
  if (status === 'error' && known?.status === 'partial') return replaced(turns, known.key, { status: 'failed', error: detail });
  if (status !== 'running' || (known && !isLive(known))) return turns;
  return changed(turns, id, (one) => ({ status: 'running', question: one.question ?? text ?? null, answer: partial ?? '' }));
}

/** Before what runs is told again from its beginning. @param {Turn[]} turns @returns {Turn[]} */
export function restarted(turns) {
  return turns.map((known) => (known.status === 'running' ? { ...known, progress: '', answer: '' } : known));
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
function numberOf(id) {
  return Number(id.slice('msg_'.length)) || 0;
}

/** What one event of the socket makes of the turns.
 * @param {Turn[]} turns @param {any} event @returns {Turn[]} */
export function after(turns, event) {
  switch (event.type) {
    case 'delta':
      return changed(turns, event.id, (known) =>
        event.kind === 'progress'
          ? { status: 'running', progress: known.progress + event.content }
          : { status: 'running', answer: known.answer + event.content },
      );
    case 'done':
      return event.id ? changed(turns, event.id, () => ending(event)) : turns;
    case 'cleared':
      return turns.filter(({ status }) => status === 'unsent');
    default:
      return turns;
  }
}

/** @param {any} event @returns {Partial<Turn>} */
function ending(event) {
  if (event.cancelled) return { status: 'stopped' };
  if (event.error) return { status: 'failed', error: event.error };
  return { status: 'done' };
}

/** @param {Turn[]} turns @param {string} id @param {(known: Turn) => Partial<Turn>} change @returns {Turn[]} */
function changed(turns, id, change) {
  const at = placeOf(turns, id);
  const known = turns[at] ?? turn({ id });
  const next = { ...known, id, ...change(known) };
  if (at < turns.length) return turns.with(at, next);
  const waiting = turns.findIndex(isPending);
  return turns.toSpliced(waiting < 0 ? turns.length : waiting, 0, next);
}

/** Where the turn with this id stands: by its id, else the first that waits for one, else one that was
 * given up too early, else past the end.
 * @param {Turn[]} turns @param {string} id */
function placeOf(turns, id) {
  const byId = turns.findLastIndex((known) => known.id === id);
  if (byId >= 0) return byId;
  for (const status of ['waiting', 'lost']) {
    const at = turns.findIndex((known) => known.status === status && !known.id);
    if (at >= 0) return at;
  }
  return turns.length;
}

/** A refusal answers what was sent last and hasn't begun; it is taken out again.
 * @param {Turn[]} turns @returns {{turns: Turn[], refused: Turn | undefined}} */
export function refused(turns) {
  const at = turns.findLastIndex((known) => known.status === 'waiting' && !known.id);
  return at < 0 ? { turns, refused: undefined } : { turns: turns.toSpliced(at, 1), refused: turns[at] };
}

/** What a trace says of its turn's question. Where a turn that was begun elsewhere (another window of the same session) had
 * been taken for ours, ours goes back to waiting.
 * @param {Turn[]} turns @param {{id: string, message: string, path?: string}} trace @returns {Turn[]} */
export function explained(turns, trace) {
  const at = turns.findIndex((known) => known.id === trace.id);
  const known = turns[at];
  if (!known || known.kind === 'action' || sameText(known.question, trace.message)) return turns;
  const kind = BUTTON.test(trace.path ?? '') ? 'action' : 'message';
  const corrected = turns.with(at, { ...known, kind, question: trace.message });
  if (known.question === null) return corrected;
  return begun(corrected, { kind: known.kind, question: known.question, sent: known.sent, status: 'waiting' });
}

/** @param {string | null} ours @param {string} theirs possibly cut, and then marked with `…` */
function sameText(ours, theirs) {
  if (ours === null) return false;
  return ours.trim() === theirs.trim() || (theirs.endsWith('…') && ours.trim().startsWith(theirs.trim().slice(0, -1)));
}

/** Once the server says that nothing runs: what still seems to run has ended, what still waits never arrived.
 * @param {Turn[]} turns @param {Set<number>} keysThen the turns that were pending when it was asked @returns {Turn[]} */
export function settled(turns, keysThen) {
  return turns.map((known) => {
    if (!keysThen.has(known.key)) return known;
    if (known.status === 'running') return { ...known, status: 'done' };
    return known.status === 'waiting' ? { ...known, status: 'lost' } : known;
  });
}

/** @param {Turn[]} turns @param {number} key @param {Partial<Turn>} fields @returns {Turn[]} */
export function replaced(turns, key, fields) {
  return turns.map((known) => (known.key === key ? { ...known, ...fields } : known));
}

/** @param {Pick<Turn, 'status'>} known */
export function isPending({ status }) {
  return status === 'unsent' || status === 'waiting';
}

/** Written here, and not with the server as far as we know. @param {Pick<Turn, 'status'>} known */
export function isKept({ status }) {
  return isPending({ status }) || status === 'lost';
}

/** @param {Turn} known */
export function isLive(known) {
  return known.status === 'running' || known.status === 'waiting';
}
