// What the page can listen to: a WebSocket, or the server's event stream (SSE) where a network blocks those.
//
// A proxy may accept either and then hold everything back. So a link counts as open with the server's first message, and as
// failed when nothing comes in time. The event stream is read with `fetch`: an `EventSource` can't carry a login and doesn't
// show the comments that the server writes every 15 s.

import { Refusal, eventStream, parsed, socketAddress } from './api.js';

const FIRST_MESSAGE_MS_MAX = 4000;
const FIRST_BYTES_MS_MAX = 3000;
const SILENCE_MS_MAX = 40_000;

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
    onMessage(parsed(data));
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

/**
 * @param {number} since the last event that was seen
 * @param {object} handlers
 * @param {(message: any) => void} handlers.onMessage
 * @param {(ending: Ending) => void} handlers.onEnd once, unless the page closed it
 * @returns {Link}
 */
export function openStream(since, { onMessage, onEnd }) {
  const control = new AbortController();
  let isClosed = false;
  let timer = setTimeout(() => control.abort(), FIRST_BYTES_MS_MAX);

  async function listen() {
    const bytes = await eventStream(since, control.signal);
    const reader = bytes.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), SILENCE_MS_MAX);
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data:') && !isClosed) onMessage(parsed(line.slice(5)));
    }
  }

  listen()
    .then(
      () => '',
      (error) => (error instanceof Refusal ? error.message : ''),
    )
    .then((reason) => {
      clearTimeout(timer);
      control.abort();
      if (!isClosed) onEnd({ heldBack: false, reason });
    });

  return {
    close() {
      isClosed = true;
      control.abort();
    },
  };
}
