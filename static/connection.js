// The way to the server: a socket if there can be one, and until then the slower ways; always looking for the socket.
//
// A laptop that slept, a network that changed, a proxy that forgot: all leave a socket that looks open and is dead, and a page
// can't see pings. So a socket that has been silent for long, or that something happened to, is renewed: a second one is
// opened beside it, and with its first word takes its place. If that word doesn't come, both are given up.
//
// Waiting between attempts doubles, with jitter so that a restarted server isn't met by everyone at once.

import { createFallback } from './fallback.js';
import { openSocket } from './socket.js';

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 10_000;
/** Where a slower way works, there is less of a hurry. */
const WAIT_BESIDE_MS_MAX = 60_000;
/** One failure may be chance; a socket that opens and stays silent counts for two. */
const FAILURES_MAX = 2;
const TICK_MS = 2000;
/** A tick that comes so late means that the machine slept. */
const SLEPT_MS = 15_000;
const SILENCE_BUSY_MS_MAX = 10_000;
const SILENCE_IDLE_MS_MAX = 60_000;

/** @typedef {'socket' | import('./fallback.js').Slower} Way */

/**
 * @param {object} wiring
 * @param {() => number} wiring.since the last number seen
 * @param {() => boolean} wiring.isBusy whether something is expected
 * @param {(event: any, since: number) => void} wiring.onEvent what a socket says that was opened from there
 * @param {(way: Way, reason: string) => void} wiring.onWay
 * @param {() => Promise<boolean>} wiring.catchUp what the slower ways ask
 */
export function connect({ since, isBusy, onEvent, onWay, catchUp }) {
  /** @typedef {import('./socket.js').Socket} Socket */
  /** The one in use. @type {Socket | undefined} */
  let socket;
  /** The one being opened. @type {Socket | undefined} */
  let fresh;
  let failures = 0;
  let timer = 0;
  let heardAt = Date.now();
  let tickedAt = Date.now();
  const fallback = createFallback({ catchUp, onWay: (way) => onWay(way, ''), onBack: hurry });

  function open() {
    clearTimeout(timer);
    if (fresh) return;
    const from = since();
    const opening = openSocket(from, {
      onEvent(event) {
        heardAt = Date.now();
        if (opening === fresh) takeOver();
        onEvent(event, from);
      },
      onEnd: (late, reason) => ended(opening, late, reason),
    });
    fresh = opening;
  }

  function takeOver() {
    socket?.leave();
    socket = fresh;
    fresh = undefined;
    failures = 0;
    fallback.stop();
    onWay('socket', '');
  }

  /** @param {Socket} which @param {boolean} late @param {string} reason */
  function ended(which, late, reason) {
    if (which === fresh) {
      // Where no second socket can be had, the first is dead too.
      socket?.leave();
      fresh = undefined;
    }
    socket = undefined;
    if (fresh) return;
    failures += late ? FAILURES_MAX : 1;
    if (!fallback.isRunning()) onWay('lost', reason);
    if (failures >= FAILURES_MAX) fallback.start();
    timer = setTimeout(open, wait());
  }

  function wait() {
    const most = fallback.isRunning() ? WAIT_BESIDE_MS_MAX : WAIT_MS_MAX;
    return Math.min(most, WAIT_MS_MIN * 2 ** failures) * (0.5 + Math.random() / 2);
  }

  /** Something happened that may have opened or ended a way. */
  function hurry() {
    // The next waits are short again.
    failures = Math.min(failures, FAILURES_MAX);
    fallback.ask();
    open();
  }

  function tick() {
    const now = Date.now();
    const slept = now - tickedAt > SLEPT_MS;
    tickedAt = now;
    const silence = isBusy() ? SILENCE_BUSY_MS_MAX : SILENCE_IDLE_MS_MAX;
    if (slept || (socket && now - heardAt > silence)) hurry();
  }

  addEventListener('online', hurry);
  addEventListener('offline', hurry);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && hurry());
  setInterval(tick, TICK_MS);
  open();

  function leave() {
    socket?.leave();
    fresh?.leave();
    socket = fresh = undefined;
  }

  return {
    hurry,
    leave,
    /** Asks a slower way for news now. */
    ask: fallback.ask,
    isSlower: fallback.isRunning,
    /** Whether it could be sent over a socket. @param {object} message */
    send: (message) => socket?.send(message) ?? false,
  };
}
