// Keeps one link to the server's events: a WebSocket where one can be had, else an event stream. Both carry the same events
// and resume after the same number.
//
// A laptop that slept, a network that changed, a proxy with a timeout: all leave a link that looks open and is dead, and a
// page can't see pings. So a link that has been silent for long, or that something happened to, is renewed: a second one is
// opened beside it and takes its place with its first message. If neither kind can be opened, both links are dead.
//
// The wait between attempts doubles, with jitter, so that pages don't return to a restarted server all at once.

import { openSocket, openStream } from './links.js';

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 10_000;
/** While an event stream works. */
const RETRY_SOCKET_MS_MAX = 60_000;
/** One failure may be chance; a socket that opens and stays silent counts as two. */
const FAILURES_MAX = 2;
const TICK_MS = 2000;
/** A tick that comes so late means that the machine slept. */
const SLEPT_MS = 15_000;
const SILENCE_BUSY_MS_MAX = 10_000;
const SILENCE_IDLE_MS_MAX = 60_000;

/** `blocked`: the server answers, but a proxy passes neither WebSockets nor event streams.
 * @typedef {'open' | 'stream' | 'lost' | 'blocked'} State  `open`: by a WebSocket */
/** @typedef {import('./links.js').Link} Link */
/** @typedef {import('./links.js').Ending} Ending */

/**
 * @param {object} wiring
 * @param {() => number} wiring.since the last event that was seen
 * @param {() => boolean} wiring.isBusy whether events are expected
 * @param {() => boolean} wiring.mayOpen whether the server would let the page in; once it does again, `renew` is called
 * @param {(message: any) => void} wiring.onMessage
 * @param {(state: State, reason: string) => void} wiring.onState `reason`: the server's sentence, where it refused
 * @param {() => Promise<unknown>} wiring.probe fails when the server can't be reached
 */
export function connect({ since, isBusy, mayOpen, onMessage, onState, probe }) {
  /** The link in use. @type {{link: Link, state: State} | undefined} */
  let current;
  /** The one that is being opened. @type {{link: Link, state: State} | undefined} */
  let fresh;
  /** Sockets that failed since the last one that worked. */
  let failures = 0;
  let isDoubted = false;
  let timer = 0;
  let heardAt = Date.now();
  let tickedAt = Date.now();

  /** @param {'open' | 'stream'} state */
  function open(state) {
    clearTimeout(timer);
    if (fresh || !mayOpen()) return;
    const handlers = {
      onMessage(/** @type {any} */ message) {
        heardAt = Date.now();
        if (opening === fresh) takeOver();
        onMessage(message);
      },
      onEnd: (/** @type {Ending} */ ending) => (opening === fresh ? failed(state, ending) : ended(state, ending)),
    };
    const from = since();
    const opening = { state, link: state === 'open' ? openSocket('/ws/trace', { since: from }, handlers) : openStream(from, handlers) };
    fresh = opening;
  }

  function takeOver() {
    current?.link.close();
    current = fresh;
    fresh = undefined;
    isDoubted = false;
    if (current?.state === 'open') failures = 0;
    else retry();
    onState(current?.state ?? 'lost', '');
  }

  /** The link in use has ended. @param {'open' | 'stream'} state @param {Ending} ending */
  function ended(state, { reason }) {
    current = undefined;
    onState('lost', reason);
    if (fresh) return;
    clearTimeout(timer);
    timer = setTimeout(() => open(state), WAIT_MS_MIN * (1 + Math.random()));
  }

  /** A link could not be opened. @param {'open' | 'stream'} state @param {Ending} ending */
  function failed(state, { heldBack, reason, isOut }) {
    fresh = undefined;
    if (state === 'open') failures += heldBack ? FAILURES_MAX : 1;
    // The stream in use is still good.
    if (current?.state === 'stream' && !isDoubted) return retry();
    if (state === 'open' && failures >= FAILURES_MAX) return open('stream');
    current?.link.close();
    if (current || reason) onState('lost', reason);
    current = undefined;
    retry();
    if (state === 'stream' && !reason && !isOut) probe().then(() => current || onState('blocked', ''), () => current || onState('lost', ''));
  }

  function retry() {
    const most = current ? RETRY_SOCKET_MS_MAX : WAIT_MS_MAX;
    clearTimeout(timer);
    timer = setTimeout(() => open('open'), Math.min(most, WAIT_MS_MIN * 2 ** failures) * (0.5 + Math.random() / 2));
  }

  /** Something happened that may have opened or ended a link. */
  function renew() {
    // The next waits are short again.
    failures = Math.min(failures, FAILURES_MAX);
    isDoubted = true;
    open('open');
  }

  function tick() {
    const now = Date.now();
    const slept = now - tickedAt > SLEPT_MS;
    tickedAt = now;
    const silence = isBusy() ? SILENCE_BUSY_MS_MAX : SILENCE_IDLE_MS_MAX;
    if (slept || (current && now - heardAt > silence)) renew();
  }

  addEventListener('online', renew);
  addEventListener('offline', renew);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && renew());
  setInterval(tick, TICK_MS);
  open('open');

  return {
    renew,
    /** Closes what is open and starts over from the last event seen. */
    restart() {
      current?.link.close();
      fresh?.link.close();
      current = fresh = undefined;
      open('open');
    },
  };
}
