// One socket that is only listened to (`/ws/trace`, `/ws/test`), kept open for as long as somebody looks; and where none can
// be had, asking twice a second.
//
// A page can't see whether an open socket is silent because nothing happens or because a proxy holds it back. So while it is
// open there is an asking now and then, and sooner when somebody hints at news: what the asking finds and the socket doesn't
// tell, twice in a row, shows that the socket is held back. Then asking is the way, and the next socket is trusted only with
// its first word. Asking is also what fills the hole between two sockets, so it comes first on every new one: until the answer is
// there, what the socket says waits, for it would look as if nothing had been before.

import { effect, signal } from './vendor/ui.mjs';
import { socketAddress } from './api.js';
import { connection } from './session.js';

const ASK_MS = 500;
/** While the socket is trusted, asking only makes sure. */
const MAKE_SURE_MS = 5000;
const MAKE_SURE_SOON_MS = 700;
const ASK_MS_MAX = 5000;
const OPEN_MS_MAX = 4000;
const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 30_000;
const UNTOLD_MAX = 2;
/** Beyond it the oldest is dropped: the next asking brings it. */
const EARLY_MAX = 500;

/** @typedef {'connecting' | 'socket' | 'poll' | 'lost'} FeedWay */
/** @typedef {{way: import('./vendor/ui.mjs').Signal<FeedWay>, hint: () => void, close: () => void}} Feed */

/**
 * @param {string} path of the socket
 * @param {object} wiring
 * @param {(message: any) => void} wiring.onMessage what the socket says
 * @param {() => Promise<boolean>} wiring.poll asks for what the socket would have said and takes it in; gives whether any of it
 *   was new, and fails when the server can't be reached
 * @returns {Feed}
 */
export function openFeed(path, { onMessage, poll }) {
  /** @type {import('./vendor/ui.mjs').Signal<FeedWay>} */
  const way = signal('connecting');
  /** @type {WebSocket | undefined} */
  let socket;
  let isOpen = false;
  /** A socket was held back: the next one has to say something first. */
  let isDistrusted = false;
  let isSlower = false;
  let isClosed = false;
  let isAsking = false;
  let askAgain = false;
  /** The next asking fills a hole, so what it finds was not to be told. */
  let isFilling = true;
  /** Until the hole is filled. */
  let isFull = false;
  /** @type {any[]} */
  let early = [];
  let heard = 0;
  let heardThen = 0;
  let untold = 0;
  let tries = 0;
  let misses = 0;
  let askTimer = 0;
  let askDue = 0;
  let openTimer = 0;

  function open() {
    clearTimeout(openTimer);
    if (socket || isClosed) return;
    const opening = new WebSocket(socketAddress(path, {}));
    socket = opening;
    const late = setTimeout(drop, OPEN_MS_MAX);
    opening.onopen = () => {
      clearTimeout(late);
      isOpen = true;
      isFilling = true;
      isFull = false;
      untold = 0;
      ask();
    };
    opening.onmessage = ({ data }) => {
      heard += 1;
      tries = 0;
      isDistrusted = false;
      if (isFull) onMessage(JSON.parse(data));
      else early = [...early.slice(1 - EARLY_MAX), JSON.parse(data)];
      show();
    };
    opening.onclose = () => {
      clearTimeout(late);
      drop();
    };
  }

  function drop() {
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    socket = undefined;
    isOpen = false;
    if (isClosed) return;
    isSlower = true;
    tries += 1;
    openTimer = setTimeout(open, Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** tries) * (0.5 + Math.random() / 2));
    ask();
  }

  function isTrusted() {
    return isOpen && !isDistrusted;
  }

  function show() {
    if (isTrusted()) isSlower = false;
    if (misses > 0) way.value = 'lost';
    else if (isSlower) way.value = 'poll';
    else if (isOpen) way.value = 'socket';
  }

  async function ask() {
    clearTimeout(askTimer);
    if (isAsking) {
      askAgain = true;
      return;
    }
    isAsking = true;
    askAgain = false;
    const fills = isFilling;
    isFilling = false;
    const wasTold = heard > heardThen;
    heardThen = heard;
    const isNews = await poll().catch(() => undefined);
    isAsking = false;
    if (isClosed) return;
    if (isNews === undefined) {
      misses += 1;
      isFilling = true;
    } else {
      misses = 0;
      if (fills) fill();
      untold = isNews && !wasTold && !fills && heard === heardThen ? untold + 1 : wasTold ? 0 : untold;
      if (isOpen && untold >= UNTOLD_MAX) distrust();
    }
    show();
    askIn(askAgain ? 0 : pause());
  }

  function fill() {
    // A socket that opened meanwhile has a hole of its own.
    isFull = !isFilling;
    if (!isFull) return;
    const waiting = early;
    early = [];
    waiting.forEach(onMessage);
  }

  function distrust() {
    isDistrusted = true;
    untold = 0;
    drop();
  }

  function pause() {
    if (misses > 0) return Math.min(ASK_MS_MAX, ASK_MS * 2 ** misses);
    if (!isTrusted()) return ASK_MS;
    return untold > 0 ? MAKE_SURE_SOON_MS : MAKE_SURE_MS;
  }

  /** @param {number} milliseconds */
  function askIn(milliseconds) {
    clearTimeout(askTimer);
    askDue = Date.now() + milliseconds;
    askTimer = setTimeout(ask, milliseconds);
  }

  /** Somebody knows of news: the socket has a moment to tell of them too. Many hints put nothing off. */
  function hint() {
    if (isTrusted() && !isAsking && askDue > Date.now() + MAKE_SURE_SOON_MS) askIn(MAKE_SURE_SOON_MS);
  }

  /** Something happened that may have opened a way, or ended one. */
  function hurry() {
    tries = 0;
    open();
    ask();
  }

  function seen() {
    if (document.visibilityState === 'visible') hurry();
  }

  function close() {
    isClosed = true;
    drop();
    clearTimeout(askTimer);
    clearTimeout(openTimer);
    removeEventListener('online', hurry);
    document.removeEventListener('visibilitychange', seen);
    leaveChat();
  }

  addEventListener('online', hurry);
  document.addEventListener('visibilitychange', seen);
  // Where the chat's socket passes, ours may.
  const leaveChat = effect(() => {
    if (connection.value === 'open' && isSlower) setTimeout(hurry);
  });
  ask();
  open();

  return { way, close, hint };
}
