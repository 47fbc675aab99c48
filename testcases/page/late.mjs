// Makes pages slow on purpose: what a busy machine does to one run in a hundred happens in every run. A test that reads what
// the page shows only one painted frame, timer, answer or message later fails here.
//
// `PAGE_LATE` says how slow, from 1 to about 4; without it nothing is touched. Whatever comes late comes in its order.

import { setTimeout as pause } from 'node:timers/promises';

/** The most milliseconds that one comes late, for each degree. */
const FRAME_MS = 100;
const TIMER_MS = 80;
const ANSWER_MS = 120;
const MESSAGE_MS = 60;

const degree = Number(process.env.PAGE_LATE ?? 0);
const seed = Number(process.env.SEED ?? 1);

/** Slows down all pages of a browser's context. A page that is gone meanwhile needs none of it. @param {import('playwright-core').BrowserContext} context */
export async function makeLate(context) {
  if (degree === 0) return;
  const most = { frame: degree * FRAME_MS, timer: degree * TIMER_MS, answer: degree * ANSWER_MS, message: degree * MESSAGE_MS };
  await context.addInitScript(slowDown, { most, seed });
  await context.route(/\.(m?js|css)$/, async (route) => {
    await pause(Math.random() * most.answer);
    await route.continue().catch(() => {});
  });
  context.on('page', (page) => slowProcessor(context, page).catch(() => {}));
}

async function slowProcessor(context, page) {
  const devtools = await context.newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 1 + degree });
}

/** Runs in the page, before what is the page's own.
 * @param {{most: Record<'frame' | 'timer' | 'answer' | 'message', number>, seed: number}} options */
function slowDown({ most, seed }) {
  // As they are now: a test may give the page a clock of its own.
  const { requestAnimationFrame: paint, setTimeout: wait, fetch: ask, performance: clock } = globalThis;
  let die = seed / 7;
  const late = (milliseconds) => (die = (die + 0.618) % 1) * milliseconds;
  const pause = (milliseconds) => new Promise((resolve) => wait(resolve, late(milliseconds)));

  // Whoever asks for a frame gets the next one that is painted, and all get it together.
  const draws = new Map();
  let tickets = 0;
  let isAsked = false;
  globalThis.requestAnimationFrame = (draw) => {
    if (!isAsked) wait(() => paint(drawAll), late(most.frame));
    isAsked = true;
    draws.set((tickets += 1), draw);
    return tickets;
  };
  globalThis.cancelAnimationFrame = (ticket) => void draws.delete(ticket);
  function drawAll(time) {
    isAsked = false;
    const newest = tickets;
    for (const [ticket, draw] of draws) {
      if (ticket > newest) break;
      draws.delete(ticket);
      draw(time);
    }
  }

  // Timers that are due at about the same time end together.
  globalThis.setTimeout = (end, milliseconds = 0, ...all) => {
    const due = clock.now() + milliseconds;
    return wait(end, milliseconds + most.timer - (due % most.timer), ...all);
  };

  globalThis.fetch = async (...all) => {
    await pause(most.answer);
    const answer = await ask(...all);
    await pause(most.answer);
    return answer;
  };

  const { get, set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
  Object.defineProperty(WebSocket.prototype, 'onmessage', {
    get,
    set(hear) {
      let before = Promise.resolve();
      this.hears = hear;
      const hearLate = (event) => {
        before = Promise.all([before, pause(most.message)]);
        // By a timer of its own: what goes wrong with one message is no matter of the next.
        before.then(() => wait(() => this.hears === hear && hear(event)));
      };
      set.call(this, hear && hearLate);
    },
  });
}
