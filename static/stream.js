// The server's event stream, for where a socket can't pass. Only that something happened is taken from it, and its number.
//
// Read with `fetch`, because an `EventSource` can't carry a login and doesn't say whether anything comes through. The server
// speaks at once and then every 15 s: a stream that is silent for longer is held back by a proxy, or dead.

import { stream } from './api.js';

const FIRST_WORD_MS_MAX = 3000;
const SILENCE_MS_MAX = 40_000;

/**
 * @param {string} lastId the last event heard of an earlier stream
 * @param {object} wiring
 * @param {() => void} wiring.onWord something came through, an event or not
 * @param {(id: string) => void} wiring.onEvent
 * @param {() => void} wiring.onEnd once, however it ended, unless it was left
 * @returns {() => void} leaves it
 */
export function openStream(lastId, { onWord, onEvent, onEnd }) {
  const control = new AbortController();
  let left = false;
  let timer = setTimeout(() => control.abort(), FIRST_WORD_MS_MAX);

  async function listen() {
    const response = await stream('/api/events', lastId, control.signal);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: '' };
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), SILENCE_MS_MAX);
      onWord();
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('id:')) onEvent(line.slice(3).trim());
    }
  }

  listen()
    .catch(() => {})
    .finally(() => {
      clearTimeout(timer);
      control.abort();
      if (!left) onEnd();
    });

  return () => {
    left = true;
    control.abort();
  };
}
