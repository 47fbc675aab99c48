// Sends what was written in other conversations of this tab and had not reached the server when the user went on to this one.
//
// The server lets it wait behind what runs there. Client ids keep a message from counting twice, from any page. It stays
// stored, marked, until its conversation is shown again, which finds it in the history or still waiting. What the server
// refuses for good waits for that too: then the page says so.

import { Refusal, parsed, postRepeatable, written } from './api.js';
import { isFinal } from './outbox.js';
import { own } from './session.js';
import { namesBehind, remember, remembered } from './storage.js';

const WAIT_MS_MIN = 1000;
const WAIT_MS_MAX = 30_000;
const NAME = /^[\w-]{0,64}$/;

/** `isSent`: the server has it. @typedef {{kind: string, clientId: string, sent?: object, isSent?: boolean}} Pending */

/** @param {string} here the name of the conversation on this page */
export function sendRest(here) {
  for (const name of namesBehind(own('pending', ''), 'tab')) if (NAME.test(name) && name !== here) sendOf(name);
}

/** Everything of one conversation, in order. @param {string} name */
async function sendOf(name) {
  let failures = 0;
  for (let next = unsent(name); next; next = unsent(name)) {
    const { kind, clientId, sent } = next;
    try {
      const body = { while_busy: 'enqueue', id: clientId, ...sent };
      await postRepeatable(kind === 'message' ? '/api/send' : '/api/action', body, { session: name || 'default' });
      failures = 0;
      mark(name, clientId);
    } catch (error) {
      if (isFinal(error)) return;
      const waitMs = error instanceof Refusal ? error.waitMs : 0;
      await new Promise((resolve) => setTimeout(resolve, Math.max(waitMs, Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** failures))));
      failures += 1;
    }
  }
}

/** @param {string} name @returns {Pending[]} */
function pendingOf(name) {
  return parsed(remembered(own('pending', name), 'tab') || '[]');
}

/** The first that the server doesn't have. @param {string} name */
function unsent(name) {
  return pendingOf(name).find(({ isSent }) => !isSent);
}

/** @param {string} name @param {string} sent */
function mark(name, sent) {
  const all = pendingOf(name).map((one) => (one.clientId === sent ? { ...one, isSent: true } : one));
  remember(own('pending', name), written(all), 'tab');
}
