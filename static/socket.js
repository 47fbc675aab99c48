// One chat socket. It counts as open with the server's first word, and as over when that doesn't come in time: a proxy may
// take the handshake and then hold everything back. When to open another is decided in connection.js.

import { socketAddress } from './api.js';

const FIRST_WORD_MS_MAX = 4000;

/** @typedef {{send: (message: object) => boolean, leave: () => void}} Socket */

/**
 * @param {number} since the number from which to go on
 * @param {object} wiring
 * @param {(event: any) => void} wiring.onEvent
 * @param {(late: boolean, reason: string) => void} wiring.onEnd once; `late`: it was open and silent; `reason`: a login failed
 * @returns {Socket}
 */
export function openSocket(since, { onEvent, onEnd }) {
  const socket = new WebSocket(socketAddress('/ws', { since }));
  const timer = setTimeout(() => end(true, ''), FIRST_WORD_MS_MAX);
  socket.onmessage = ({ data }) => {
    clearTimeout(timer);
    onEvent(JSON.parse(data));
  };
  socket.onclose = ({ code, reason }) => end(false, code === 4001 ? reason : '');

  /** @param {boolean} late @param {string} reason */
  function end(late, reason) {
    leave();
    onEnd(late, reason);
  }

  /** Closes it without another word. */
  function leave() {
    clearTimeout(timer);
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  return {
    leave,
    send(message) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
  };
}
