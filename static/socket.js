// A WebSocket that the page listens to. It counts as open with the server's first message and as failed when that doesn't
// come in time: a proxy may accept the handshake and then hold everything back.

import { socketAddress } from './api.js';

const FIRST_MESSAGE_MS_MAX = 4000;

/** How a connection ended. `heldBack`: it opened and stayed silent; `reason`: the server refused it, in a sentence.
 * @typedef {{heldBack: boolean, reason: string}} Ending */
/** @typedef {{close: () => void}} Link */

/**
 * @param {string} path @param {Record<string, number>} query
 * @param {object} handlers
 * @param {(message: any) => void} handlers.onMessage
 * @param {(ending: Ending) => void} handlers.onEnd once, unless the page closed it
 * @returns {Link}
 */
export function openSocket(path, query, { onMessage, onEnd }) {
  const socket = new WebSocket(socketAddress(path, query));
  const timer = setTimeout(() => end(true, ''), FIRST_MESSAGE_MS_MAX);
  socket.onmessage = ({ data }) => {
    clearTimeout(timer);
    onMessage(JSON.parse(data));
  };
  socket.onclose = ({ code, reason }) => end(false, code === 4001 ? `${reason}. Please log in again.` : '');

  /** @param {boolean} heldBack @param {string} reason */
  function end(heldBack, reason) {
    close();
    onEnd({ heldBack, reason });
  }

  function close() {
    clearTimeout(timer);
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  return { close };
}
