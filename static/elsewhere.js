// Sends what was written in other conversations of this tab and had not reached the server when the user went on to this one.
//
// Client ids see to it that nothing counts twice, whoever sends it. What the server refuses for good waits until the user is
// back in its conversation, which then says so.

import { Refusal, parsed, postRepeatable, written } from './api.js';
import { isFinal } from './outbox.js';
import { own } from './session.js';
import { namesBehind, remember, remembered } from './storage.js';

const WAIT_MS_MIN = 1000;
const WAIT_MS_MAX = 30_000;
const NAME = /^[\w-]{0,64}$/;

/** @typedef {{kind: string, clientId: string, sent?: object}} Unsent */

/** @param {string} here the name of the conversation on this page */
export function sendRest(here) {
  for (const name of namesBehind(own('pending', ''), 'tab')) if (NAME.test(name) && name !== here) sendOf(name);
}

/** Everything of one conversation, in order. @param {string} name */
async function sendOf(name) {
  let failures = 0;
  for (let next = unsent(name)[0]; next; next = unsent(name)[0]) {
    try {
      await postRepeatable(next.kind === 'message' ? '/api/send' : '/api/action', { id: next.clientId, ...next.sent }, { session: name || 'default' });
      failures = 0;
      taken(name, next);
    } catch (error) {
      if (isFinal(error)) return;
      const waitMs = error instanceof Refusal ? error.waitMs : 0;
      await new Promise((resolve) => setTimeout(resolve, Math.max(waitMs, Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** failures))));
      failures += 1;
    }
  }
}

/** @param {string} name @returns {Unsent[]} */
function unsent(name) {
  return parsed(remembered(own('pending', name), 'tab') || '[]');
}

/** @param {string} name @param {Unsent} sent */
function taken(name, sent) {
  const rest = unsent(name).filter(({ clientId }) => clientId !== sent.clientId);
  remember(own('pending', name), rest.length > 0 ? written(rest) : '', 'tab');
}
