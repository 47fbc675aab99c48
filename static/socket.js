// The chat socket: connects, and connects again for as long as the page lives.
//
// It knows nothing of what goes over it but the number from which to go on. Waiting between attempts doubles up to ten
// seconds, with jitter so that a restarted server isn't met by everyone at once; coming back online or into view tries now.

import { socketAddress } from './api.js';

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 10_000;

/**
 * @param {object} wiring
 * @param {() => number} wiring.since the last number seen
 * @param {(event: any) => void} wiring.onEvent
 * @param {(open: boolean, reason?: string) => void} wiring.onChange
 */
export function connect({ since, onEvent, onChange }) {
  /** @type {WebSocket | undefined} */
  let socket;
  let attempts = 0;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    const fresh = new WebSocket(socketAddress('/ws', { since: since() }));
    socket = fresh;
    fresh.onopen = () => {
      attempts = 0;
      onChange(true);
    };
    fresh.onmessage = ({ data }) => onEvent(JSON.parse(data));
    fresh.onclose = ({ code, reason }) => {
      if (socket !== fresh) return;
      socket = undefined;
      onChange(false, code === 4001 ? reason : undefined);
      timer = setTimeout(open, wait());
    };
  }

  function wait() {
    const longest = Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** attempts);
    attempts += 1;
    return longest * (0.5 + Math.random() / 2);
  }

  function hurry() {
    if (!socket && document.visibilityState === 'visible') open();
  }

  addEventListener('online', hurry);
  document.addEventListener('visibilitychange', hurry);
  open();

  return {
    /** Whether it could be sent. @param {object} message */
    send(message) {
      if (socket?.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
  };
}
