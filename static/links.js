// What the page can listen to: a WebSocket, or the server's event stream (SSE) where a network blocks those.
//
// A proxy may accept either and then hold everything back. So a link counts as open with the server's first message, and as
// failed when nothing comes in time. The event stream is read with `fetch`: an `EventSource` can't carry a login and doesn't
// show the comments that the server writes every 15 s.

import { effect } from './vendor/ui.mjs';
import { Refusal, accepted, eventStream, parsed, renewed, socketAddress, token } from './api.js';
import { t } from './i18n.js';

const FIRST_MESSAGE_MS_MAX = 4000;
const FIRST_BYTES_MS_MAX = 3000;
const SILENCE_MS_MAX = 40_000;
/** How the server closes a socket: its token counts no longer, or its user may not do this. */
const UNAUTHORIZED = 4001;
const FORBIDDEN = 4003;
const EXPIRED = 'Token expired';

/** How a connection ended. `heldBack`: it opened and stayed silent; `reason`: the server refused it, in a sentence.
 * `isOut`: nobody is logged in any more, which others say.
 * @typedef {{heldBack: boolean, reason: string, isOut?: boolean}} Ending */
/** @typedef {{close: () => void}} Link */

/**
 * @param {string} path @param {Record<string, number>} query
 * @param {object} handlers
 * @param {(message: any) => void} handlers.onMessage
 * @param {(ending: Ending) => void} handlers.onEnd once, unless the page closed it
 * @returns {Link}
 */
export function openSocket(path, query, { onMessage, onEnd }) {
  const used = token.peek();
  let sent = used;
  // In no address: those are logged on their way. `userinfo` lets the server ask the issuer for the name.
  const socket = new WebSocket(socketAddress(path, query), used ? ['bearer', used, 'userinfo'] : []);
  const timer = setTimeout(() => {
    close();
    onEnd({ heldBack: true, reason: '' });
  }, FIRST_MESSAGE_MS_MAX);
  // A socket lives no longer than the token that it was given last.
  const leave = effect(() => {
    if (token.value && token.value !== sent && socket.readyState === WebSocket.OPEN) passOn();
  });
  socket.onopen = () => token.peek() && token.peek() !== sent && passOn();
  socket.onmessage = ({ data }) => {
    clearTimeout(timer);
    if (used) accepted.value = used;
    onMessage(parsed(data));
  };
  socket.onclose = async ({ code, reason }) => {
    clearTimeout(timer);
    const isOut = code === UNAUTHORIZED && !(sent && (await renewed(sent, reason === EXPIRED ? '' : `${reason}.`)));
    if (!socket.onclose) return;
    close();
    onEnd({ heldBack: false, reason: refusal(code, sent), isOut });
  };

  function passOn() {
    sent = token.peek();
    socket.send(JSON.stringify({ type: 'auth', token: sent }));
  }

  function close() {
    clearTimeout(timer);
    leave();
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  return { close };
}

/** @param {number} code @param {string} sent */
function refusal(code, sent) {
  if (code === UNAUTHORIZED && !sent) return t('connection.wantsLogIn');
  return code === FORBIDDEN ? t('connection.forbidden') : '';
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
      () => undefined,
      (error) => (error instanceof Refusal ? error : undefined),
    )
    .then((refused) => {
      clearTimeout(timer);
      control.abort();
      const isOut = refused?.status === 401 && token.peek() !== '';
      if (!isClosed) onEnd({ heldBack: false, reason: isOut ? '' : (refused?.message ?? ''), isOut });
    });

  return {
    close() {
      isClosed = true;
      control.abort();
    },
  };
}
