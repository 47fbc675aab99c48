// Sends what the user says, in order, and again until the server has acknowledged it: the client ids see to it that a message
// that arrives twice counts once.

import { Refusal, postRepeatable } from './api.js';

const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 8000;
/** Refusals that pass: the same message is sent again later. */
const TRANSIENT = ['session_busy', 'queue_full'];

/** @typedef {import('./conversation.js').Turn} Turn */

/**
 * @param {object} wiring
 * @param {() => Turn | undefined} wiring.next the turn to send now
 * @param {(turn: Turn, id: string) => void} wiring.onAcknowledged
 * @param {(turn: Turn, why: string) => void} wiring.onRefused for good
 * @param {(turn: Turn, isBusy: boolean, why: string) => void} wiring.onHeld until later; `why`: the server's sentence
 */
export function createOutbox({ next, onAcknowledged, onRefused, onHeld }) {
  let failures = 0;
  let timer = 0;
  /** @type {Promise<void> | undefined} */
  let sending;

  async function send() {
    for (let turn = next(); turn; turn = next()) {
      try {
        const { id } = await postRepeatable(turn.kind === 'message' ? '/api/send' : '/api/action', { id: turn.clientId, ...turn.sent });
        failures = 0;
        onAcknowledged(turn, id);
      } catch (error) {
        const isRefusal = error instanceof Refusal;
        const isBusy = isRefusal && TRANSIENT.includes(error.code);
        if (isRefusal && !isBusy && error.status < 500) onRefused(turn, error.message);
        else {
          onHeld(turn, isBusy, isRefusal && !isBusy ? error.message : '');
          timer = setTimeout(flush, Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** failures));
          failures += 1;
          return;
        }
      }
    }
  }

  /** Sends what can be sent now. */
  function flush() {
    clearTimeout(timer);
    sending ??= send().finally(() => (sending = undefined));
  }

  return { flush, /** Resolves when no request is on its way. */ settled: () => sending };
}
