// A turn as the panels look at it: its trace, from memory or from the journal, each call in full, and what only the event log
// knows of it.

import { useEffect, useState } from './vendor/ui.mjs';
import { read } from './api.js';
import { list } from './coerce.js';
import { finished } from './live.js';

/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').CallInFull} CallInFull */
/** @typedef {{session?: string, user?: string}} Owner  a part of a query; empty for the page's own session */

/** @typedef {object} TurnInFull
 * @property {string} id
 * @property {Trace} trace
 * @property {Map<number, CallInFull>} calls
 * @property {number} [first_token_ms]
 * @property {Record<number, string>} reasons  why a node made a call again, by call
 * @property {string} error                    why the turn failed */

const LINES_MAX = 500;
const KEPT_MAX = 8;
/** What was read last: panels look at the same turns. @type {Map<string, TurnInFull>} */
const kept = new Map();

/** The turn that is looked at, in full once it has ended. `trouble`: why it can't be read.
 * @param {string} id @param {Owner} owner @param {boolean} isRunning @returns {{turn?: TurnInFull, trouble: string}} */
export function useTurn(id, owner, isRunning) {
  const known = owner.user ? undefined : finished.value.find((one) => one.id === id);
  const mark = JSON.stringify([id, owner.session, owner.user, known?.started_at, known?.background?.length]);
  const [seen, setSeen] = useState(/** @type {{id: string, turn?: TurnInFull, trouble: string}} */ ({ id: '', trouble: '' }));
  useEffect(() => {
    if (!id || isRunning) return;
    let isLeft = false;
    const show = (/** @type {TurnInFull} */ turn) => isLeft || setSeen({ id: mark, turn, trouble: '' });
    const old = kept.get(mark);
    if (old) return void show(old);
    readTurn(id, owner).then(
      (turn) => {
        kept.set(mark, turn);
        if (kept.size > KEPT_MAX) kept.delete(/** @type {string} */ (kept.keys().next().value));
        show(turn);
      },
      (error) => isLeft || setSeen({ id: mark, trouble: error.message }),
    );
    return () => {
      isLeft = true;
    };
  }, [mark, isRunning]);
  // While the same turn is read again, what was read of it stays.
  if (seen.id === mark || JSON.parse(seen.id || '[]').slice(0, 3).join() === [id, owner.session, owner.user].join()) return seen;
  return { trouble: '' };
}

/** @param {string} id @param {Owner} owner @returns {Promise<TurnInFull>} */
async function readTurn(id, owner) {
  // The log reaches back only so far; without it the trace says less.
  const [whole, { lines }] = await Promise.all([read('/api/turn', { id, ...owner }), read('/api/trace', { last: LINES_MAX, ...owner }).catch(() => ({ lines: [] }))]);
  const own = list(lines).filter(({ turn }) => turn === id);
  const said = own.find(({ event, text }) => event === 'streaming' && text);
  return {
    id,
    trace: whole.trace,
    calls: new Map(list(whole.calls).map((call) => [call.pid, call])),
    first_token_ms: said && said.at - whole.trace.started_at,
    reasons: Object.fromEntries(own.filter(({ event, reason }) => event === 'process_start' && reason).map(({ pid, reason }) => [pid, reason])),
    error: own.findLast(({ event }) => event === 'error')?.detail ?? '',
  };
}
