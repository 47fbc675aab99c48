// The stage that every test plays on: the real server on a free port with a folder of its own, and a real browser.
//
// `visit` opens a page in a session of its own and, when the test is over, asks the page for complaints: an error or a
// warning in the console, a violated policy, a dialog, a request to anywhere else. Any of them fails the test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { chromium } from 'playwright-core';
import { makeLate } from './late.mjs';

const START_MS_MAX = 20_000;
/** As long as Playwright waits. */
const BECOMES_MS_MAX = 90_000;
const LOOK_AGAIN_MS = 50;
const root = new URL('../../', import.meta.url);
export const binary = process.env.FRAMEWRIGHT_BIN ?? fileURLToPath(new URL('target/debug/framewright', root));
const browserPath = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
const browserArguments =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
/** Milliseconds that each step of a test comes late: what is only there for a moment has passed by then. */
const handLate = Number(process.env.HAND_LATE ?? 0);
export const pictures = new URL('testcases/out/page/', root);

export const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
export const dark = { colorScheme: 'dark' };
/** Words so far apart that a long story lasts 16 s, for what has to happen before an answer ends, however slow a machine is. */
export const SLOW = { wordPause: 250 };

let sessions = 0;

export class Stage {
  /** @param {{wordPause?: number, flags?: string[]}} options `wordPause`: milliseconds between two words of the demo model;
   * `flags`: further ones for the server */
  constructor({ wordPause = 20, flags = [] } = {}) {
    Object.assign(this, { wordPause, flags });
  }

  async open() {
    this.data = await mkdtemp(join(tmpdir(), 'framewright-page-'));
    await this.startServer('127.0.0.1:0');
    this.browser = await chromium.launch({ executablePath: browserPath, args: browserArguments.split(' '), slowMo: handLate });
    await mkdir(pictures, { recursive: true });
  }

  async close() {
    await this.browser?.close();
    await this.stopServer();
    await rm(this.data, { recursive: true, force: true });
  }

  /** @param {string} listen where to; the port 0 takes a free one */
  async startServer(listen) {
    // Whatever model this machine has configured, the tests talk to the demo.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OPENAI|FRAMEWRIGHT)_/.test(name)));
    const options = { cwd: this.data, env, stdio: ['ignore', 'pipe', 'pipe'] };
    const flags = ['--listen', listen, '--data', this.data, '--demo-delay-ms', String(this.wordPause), '--offline', ...this.flags];
    this.server = spawn(binary, flags, options);
    this.address = await addressOf(this.server);
  }

  async stopServer() {
    if (!this.server || this.server.exitCode !== null) return;
    const ended = new Promise((resolve) => this.server.once('exit', resolve));
    this.server.kill('SIGTERM');
    const timer = setTimeout(() => this.server.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }

  /** Opens a page in a fresh session, plays `scene` and asks for complaints.
   * @param {object} options of the browser's context; `prepare(page)` runs before the page is opened, complaints that
   * match `tolerates` are expected, `through` is the address of a proxy to go through, and `isConnecting` says whether that lets
   * the page connect */
  async visit({ prepare, tolerates, through = this.address, isConnecting = true, ...options }, scene) {
    const session = `page-${process.pid}-${(sessions += 1)}`;
    const context = await this.browser.newContext({ viewport: { width: 1200, height: 850 }, ...options });
    // On a busy machine a step may take long; what never comes still fails.
    context.setDefaultTimeout(BECOMES_MS_MAX);
    try {
      await makeLate(context);
      const page = await context.newPage();
      const complaints = listen(page, through);
      await prepare?.(page);
      const visitor = new Visitor(page, this.address, session, through);
      await page.goto(visitor.url());
      if (isConnecting) await visitor.connected();
      await scene(visitor, page);
      assert.deepEqual(complaints.filter((complaint) => !tolerates?.test(complaint)), []);
    } finally {
      await context.close();
    }
  }
}

/** The address in the server's start-up line. */
function addressOf(server) {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => reject(new Error(`the server gave no address in time; it said: ${output}`)), START_MS_MAX);
    const hear = (bytes) => {
      output += bytes;
      // Warnings may come first, with addresses of others in them.
      const found = /^framewright \S+ {2}(http:\/\/[\w.:]+:\d+)/m.exec(output);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]);
    };
    server.stdout.on('data', hear);
    server.stderr.on('data', hear);
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}; it said: ${output}`)));
  });
}

/** What the browser says by itself when the page gives a socket up that took too long to open, as it does on a machine that is busy. */
const GIVEN_UP = /WebSocket is closed before the connection is established/;

function listen(page, address) {
  const complaints = [];
  page.on('console', (message) => {
    if (GIVEN_UP.test(message.text())) return;
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(address)) complaints.push(`request to ${request.url()}`);
  });
  return complaints;
}

/** A hand on the page's sockets for events: puts events in, or cuts. Give its `prepare` to `visit`. */
export function wire() {
  const sockets = [];
  return {
    sockets,
    prepare: (page) =>
      page.routeWebSocket(/\/ws\/trace\?/, (socket) => {
        socket.connectToServer();
        sockets.push(socket);
      }),
    inject: (event) => sockets.at(-1).send(JSON.stringify(event)),
    cut: () => sockets.at(-1).close({ code: 1012 }),
  };
}

/** What a person can do on the page, and what the server says of their session. */
export class Visitor {
  constructor(page, address, session, through) {
    Object.assign(this, { page, address, session, through });
  }

  url(hash = '') {
    return `${this.through}/?session=${this.session}${hash}`;
  }

  async connected() {
    await this.page.locator('.connection:is([data-state=open], [data-state=stream])').waitFor();
  }

  /** @param {'open' | 'stream' | 'blocked' | 'lost'} state */
  async connectedBy(state) {
    await this.page.locator(`.connection[data-state=${state}]`).waitFor();
  }

  async reload() {
    await this.page.reload();
    await this.connected();
  }

  /** Writes a message and leaves it to itself. */
  async say(text) {
    await this.page.locator('#message').fill(text);
    await this.page.locator('#message').press('Enter');
  }

  /** Writes a message, waits for the end of its turn and gives that turn. */
  async ask(text) {
    const turns = await this.page.locator('.turn').count();
    await this.say(text);
    const turn = this.page.locator('.turn').nth(turns);
    await this.ended(turn);
    return turn;
  }

  /** A turn has ended when its footer leads to its trace. */
  async ended(turn) {
    await turn.and(turn.page().locator('[aria-busy=false]')).locator('.trace-link').waitFor();
  }

  async footer(turn) {
    return (await turn.locator('.trace-link').innerText()).trim();
  }

  async read(path, query = {}) {
    const url = new URL(path, this.address);
    url.search = new URLSearchParams({ session: this.session, ...query });
    const response = await fetch(url);
    assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`);
    return response.json();
  }

  async send(path, body) {
    const url = new URL(path, this.address);
    url.searchParams.set('session', this.session);
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`);
    return response.json();
  }

  /** Opens one of the cockpit's panels by its address. */
  async open(panel) {
    await this.page.evaluate((hash) => (location.hash = hash), `#/${panel}`);
    await this.page.locator(`#tab-${panel.startsWith('turn/') ? 'trace' : panel}[aria-selected=true]`).waitFor();
  }

  async history() {
    return (await this.read('/api/history', { last: 200 })).messages;
  }

  async lastTrace() {
    return (await this.read('/api/frames')).last_trace;
  }

  /** The last turn's trace once nothing runs behind its answer any more, and the panel Trace shows all of it as bars. */
  async wholeTrace() {
    await becomes(async () => (await this.read('/api/state')).memorizing, false);
    const trace = await this.lastTrace();
    const calls = [...trace.frames.flatMap((frame) => frame.calls), ...trace.background];
    const ended = this.page.locator(`.trace[aria-busy=false][aria-label$=" ${trace.id}"] .call:not([data-status=running])`);
    await becomes(() => ended.count(), calls.length);
    return trace;
  }

  /** Sees to it that the page shows the history, no more and no less, but for what it marks as no longer there. */
  async showsTheHistory() {
    const messages = await this.history();
    const shown = async () => (await this.page.locator('.turn:not([data-gone]) :is(.question, .answer)').allInnerTexts()).map(letters);
    await becomes(shown, messages.map(({ content }) => letters(content)));
  }

  async finds(name) {
    await this.page.evaluate(await axeSource());
    const { violations } = await this.page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
    assert.deepEqual(found, [], `axe: ${name}`);
  }

  async picture(name) {
    await this.page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, pictures)) });
  }
}

/** Waits until what is read is what is wanted: most of the page follows a painted frame, an answer or a message later. Where it
 * doesn't, says what it is instead. @param {() => Promise<unknown>} read @param {unknown} wanted @param {string} [message] */
export async function becomes(read, wanted, message) {
  for (const end = Date.now() + BECOMES_MS_MAX; ; await pause(LOOK_AGAIN_MS)) {
    const found = await read();
    if (isDeepStrictEqual(found, wanted)) return;
    if (Date.now() > end) assert.deepEqual(found, wanted, message);
  }
}

/** Presses a button that copies and waits for its saying so, which it does for a moment only. */
export async function copies(within, name) {
  await Promise.all([within.getByRole('button', { name: 'Copied' }).waitFor(), within.getByRole('button', { name }).click()]);
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A text without what Markdown and typesetting do to it. */
export function letters(text) {
  return text
    .replace(/^You(?: pressed)?:?\s/, '')
    .replace(/^\s*\d+\.\s/gm, '')
    .replace(/\]\([^)]*\)/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, '');
}

/** Waits until the last answer has grown so many times, and gives what it was each time. */
export async function growth(page, times) {
  const texts = [];
  const answer = page.locator('.turn[data-status=running] .answer');
  await answer.waitFor();
  for (let time = 0; time <= times; time += 1) {
    texts.push(await answer.innerText());
    await page.waitForFunction((length) => (document.querySelector('.turn[data-status=running] .answer')?.innerText.length ?? 0) > length, texts.at(-1).length);
  }
  return texts;
}

async function axeSource() {
  return readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
}
