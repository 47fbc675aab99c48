// The server's event stream (SSE), for networks that block WebSockets.
//
// Read with `fetch`, because an `EventSource` can't carry a login and doesn't show comments. The server writes at once and
// then at least every 15 s: a stream that is silent for longer is held back by a proxy, or dead.

import { Refusal, eventStream } from './api.js';

const FIRST_BYTES_MS_MAX = 3000;
const SILENCE_MS_MAX = 40_000;

/**
 * @param {number} since the last event that was seen
 * @param {object} handlers
 * @param {(message: any) => void} handlers.onMessage
 * @param {(ending: import('./socket.js').Ending) => void} handlers.onEnd once, unless the page closed it
 * @returns {import('./socket.js').Link}
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
      for (const line of lines) if (line.startsWith('data:') && !isClosed) onMessage(JSON.parse(line.slice(5)));
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
