// The slower ways, for as long as no socket can be had: asking again and again, and sooner when the event stream says so.
//
// Both end in the same question, `catchUp`, which compares the page with what the server says. So it doesn't matter when it
// is asked, or how often, or whether the stream told everything. A stream that stays silent about news is held back by a
// proxy: then asking twice a second is the way.

import { openStream } from './stream.js';

const POLL_MS = 500;
/** While the stream speaks, asking only makes sure. */
const POLL_BESIDE_STREAM_MS = 2500;
const POLL_MS_MAX = 5000;
const EVENT_MS_MIN = 100;
const STREAM_AGAIN_MS = 1000;
const STREAM_HELD_BACK_MS = 30_000;
const UNTOLD_MAX = 2;

/** @typedef {'stream' | 'poll' | 'lost'} Slower */

/**
 * @param {object} wiring
 * @param {() => Promise<boolean>} wiring.catchUp gives whether there was news; fails when the server can't be reached
 * @param {(way: Slower) => void} wiring.onWay
 * @param {() => void} wiring.onBack the server answers again
 */
export function createFallback({ catchUp, onWay, onBack }) {
  let isRunning = false;
  let isAsking = false;
  /** The next asking is near already: another event must not put it off. */
  let isSoon = false;
  let isStreaming = false;
  let askAgain = false;
  let failures = 0;
  let heard = 0;
  /** How much was heard when it was last asked. */
  let heardThen = 0;
  let untold = 0;
  let askTimer = 0;
  let streamTimer = 0;
  let lastId = '';
  let leaveStream = () => {};

  function start() {
    if (isRunning) return;
    isRunning = true;
    failures = untold = 0;
    listen();
    ask();
  }

  function stop() {
    isRunning = isStreaming = false;
    clearTimeout(askTimer);
    clearTimeout(streamTimer);
    leaveStream();
  }

  async function ask() {
    clearTimeout(askTimer);
    if (isAsking) {
      askAgain = true;
      return;
    }
    isAsking = true;
    askAgain = isSoon = false;
    const heardBefore = heardThen;
    heardThen = heard;
    const isNews = await catchUp().catch(() => undefined);
    isAsking = false;
    if (!isRunning) return;
    if (isNews === undefined) failed();
    else answered(isNews && heard === heardBefore);
    askIn(askAgain ? EVENT_MS_MIN : pause());
  }

  /** @param {number} milliseconds */
  function askIn(milliseconds) {
    clearTimeout(askTimer);
    isSoon = milliseconds <= EVENT_MS_MIN;
    askTimer = setTimeout(ask, milliseconds);
  }

  function failed() {
    failures += 1;
    onWay('lost');
  }

  /** @param {boolean} wasUntold there was news, and the stream hadn't said so */
  function answered(wasUntold) {
    if (failures > 0) onBack();
    failures = 0;
    untold = wasUntold ? untold + 1 : 0;
    if (isStreaming && untold >= UNTOLD_MAX) holdBack();
    onWay(isStreaming ? 'stream' : 'poll');
  }

  function pause() {
    if (failures > 0) return Math.min(POLL_MS_MAX, POLL_MS * 2 ** failures);
    return isStreaming ? POLL_BESIDE_STREAM_MS : POLL_MS;
  }

  function listen() {
    leaveStream = openStream(lastId, {
      onWord: () => (isStreaming = true),
      onEvent: (id) => {
        lastId = id;
        heard += 1;
        untold = 0;
        if (isAsking) askAgain = true;
        else if (!isSoon) askIn(EVENT_MS_MIN);
      },
      onEnd: () => {
        const wait = isStreaming ? STREAM_AGAIN_MS : STREAM_HELD_BACK_MS;
        isStreaming = false;
        streamTimer = setTimeout(listen, wait);
      },
    });
  }

  function holdBack() {
    leaveStream();
    isStreaming = false;
    streamTimer = setTimeout(listen, STREAM_HELD_BACK_MS);
  }

  return { start, stop, ask: () => isRunning && ask(), isRunning: () => isRunning };
}
