// Sends what the user says, in order, and again until the server has acknowledged it: the client ids see to it that a message
// that arrives twice counts once.

import { Refusal, postRepeatable } from './api.js';

const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 8000;
/** Refusals that pass: the same message is sent again later. */
const TRANSIENT = ['session_busy', 'queue_full', 'rate_limited', 'too_many_turns'];
const UNAUTHORIZED = 401;

/** @typedef {import('./conversation.js').Turn} Turn */

/** Whether sending the same again would fail again. Whose log-in has ended sends it once they are back. @param {unknown} error */
export function isFinal(error) {
  return error instanceof Refusal && error.status < 500 && error.status !== UNAUTHORIZED && !TRANSIENT.includes(error.code);
}

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
  let restsUntil = 0;
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
        const isLater = isRefusal && TRANSIENT.includes(error.code);
        if (isRefusal && isFinal(error)) onRefused(turn, error.message);
        else {
          const waitMs = isRefusal ? error.waitMs : 0;
          onHeld(turn, isLater, isRefusal && (waitMs > 0 || !isLater) ? error.message : '');
          restsUntil = Date.now() + waitMs;
          timer = setTimeout(flush, waitMs || Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** failures));
          failures += 1;
          return;
        }
      }
    }
  }

  /** Sends what can be sent now. */
  function flush() {
    clearTimeout(timer);
    const rest = restsUntil - Date.now();
    if (rest > 0) timer = setTimeout(flush, rest);
    else sending ??= send().finally(() => (sending = undefined));
  }

  return { flush, /** Resolves when no request is on its way. */ settled: () => sending };
}
