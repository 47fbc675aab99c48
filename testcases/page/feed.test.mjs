// The cockpit's feed stays live whatever stands between: a proxy that refuses sockets or holds them back, a cut, a real nginx.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { behind } from './behind.mjs';
import { Nginx } from './nginx.mjs';
import { SLOW, Stage, becomes } from './stage.mjs';

const STORY = 'tell me a long story';

const stage = new Stage(SLOW);
before(() => stage.open());
after(() => stage.close());

const way = (page, name) => page.locator(`.drawer .way[data-way=${name}]`).waitFor({ state: 'attached' });
const slower = (page) => page.getByText('asking twice a second instead').waitFor();
const rests = (page) => page.locator('.trace[aria-busy=false]').waitFor();

/** A running turn whose time is seen to grow so often. */
async function grows(page, times = 3) {
  const running = page.locator('.frame[data-running=true]');
  await running.locator('b', { hasText: 'output' }).waitFor();
  for (let time = 0; time < times; time += 1) {
    const shown = await running.locator('.call .time').innerText();
    await page.waitForFunction((before) => document.querySelector('.frame[data-running=true] .call .time')?.innerText !== before, shown);
  }
}

/** What the panel shows of a turn's frames is what the server's trace says. */
async function showsTheTrace(visitor, page) {
  await rests(page);
  const { frames } = await visitor.lastTrace();
  const rows = () => page.locator('.frame').evaluateAll((all) => all.map((one) => [one.querySelector('b').textContent, one.querySelectorAll('.call').length]));
  await becomes(rows, frames.map(({ nodes, calls }) => [nodes.join(' + '), calls.length]));
}

/** A hand on the trace's sockets: counts them, cuts them, or lets them open and say nothing. */
function tracing() {
  const hand = { opened: 0, open: new Set(), isHeldBack: false, cut: () => hand.open.forEach((socket) => socket.close({ code: 1012 })) };
  hand.prepare = (page) =>
    page.routeWebSocket(/\/ws\/trace/, (socket) => {
      hand.opened += 1;
      hand.open.add(socket);
      const server = socket.connectToServer();
      server.onMessage((message) => hand.isHeldBack || socket.send(message));
      socket.onClose(() => {
        hand.open.delete(socket);
        server.close();
      });
    });
  return hand;
}

test('there is a feed while a panel is open, one for all of them, and none without', async () => {
  const hand = tracing();
  await stage.visit({ prepare: hand.prepare }, async (visitor, page) => {
    await visitor.ask('hello');
    assert.equal(hand.opened, 0);
    // Where the second panel has to be fetched first, and that takes long, the feed is given up meanwhile.
    await visitor.open('state');
    await page.locator('.state').waitFor();
    await visitor.open('trace');
    await way(page, 'socket');
    const { opened } = hand;
    await page.getByRole('tab', { name: 'State' }).click();
    await page.locator('.state').waitFor();
    await page.waitForTimeout(1500);
    assert.equal(hand.opened, opened, 'another panel takes it over');
    assert.equal(hand.open.size, 1, 'one for all of them');
    await page.getByRole('button', { name: 'Close the cockpit' }).click();
    await becomes(async () => hand.open.size, 0);
  });
});

test('a feed that is cut in the middle of a turn goes on without a hole', async () => {
  const hand = tracing();
  await stage.visit({ prepare: hand.prepare }, async (visitor, page) => {
    await visitor.open('trace');
    await way(page, 'socket');
    await visitor.say('what did I say before?');
    for (let time = 0; time < 3; time += 1) {
      await page.waitForTimeout(150);
      hand.cut();
    }
    await showsTheTrace(visitor, page);
    await becomes(async () => hand.opened > 1, true);
    await way(page, 'socket');
  });
});

test('a panel that is opened in the middle of a turn shows it from its beginning', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.say(STORY);
    await page.locator('.turn[data-status=running] .answer').waitFor();
    await visitor.open('trace');
    await grows(page, 1);
    await becomes(() => page.locator('.frame .call').count(), 3);
    await page.getByRole('button', { name: 'Stop' }).click();
    await showsTheTrace(visitor, page);
  }));

test('a feed that opens and is held back is noticed, asking takes its place, and it is taken back when it speaks', async () => {
  const hand = tracing();
  hand.isHeldBack = true;
  await stage.visit({ prepare: hand.prepare }, async (visitor, page) => {
    await visitor.open('trace');
    await way(page, 'socket');
    await visitor.say(STORY);
    await slower(page);
    await grows(page);
    await page.getByRole('button', { name: 'Stop' }).click();
    await showsTheTrace(visitor, page);
    await becomes(async () => hand.opened > 1, true, 'another socket is tried');
    hand.isHeldBack = false;
    // A socket that is open when something happens speaks; between two of them there may be none.
    const isTakenBack = async () => {
      await visitor.ask('hello');
      return page.locator('.drawer .way[data-way=socket]').count();
    };
    await becomes(isTakenBack, 1);
    await visitor.say(STORY);
    await grows(page);
    await page.getByText('asking twice a second instead').waitFor({ state: 'detached' });
  });
});

test('behind an nginx that buffers everything, Trace and State stay live by asking, and go back to sockets', () =>
  behind(stage, new Nginx(stage.address, 'strict'), {}, async (visitor, page, nginx) => {
    await visitor.connectedBy('poll');
    await visitor.open('trace');
    await way(page, 'poll');
    await page.locator('.notice', { hasText: 'holds the direct connection back' }).waitFor();
    assert.equal(await page.getByText('asking twice a second instead').count(), 0, 'the whole page says it already');
    await visitor.say(STORY);
    await grows(page);
    await visitor.picture('cockpit-trace-polling');
    await page.getByRole('tab', { name: 'State' }).click();
    await way(page, 'poll');
    const process = page.locator('.processes li', { hasText: 'output' });
    await process.waitFor();
    assert.equal(await process.getByRole('button').isDisabled(), true);
    await page.getByText('Cancelling needs the direct connection').waitFor();
    await visitor.picture('cockpit-state-polling');
    await visitor.finds('the state while asking');
    await visitor.ended(page.locator('.turn').first());
    await page.getByText('Nothing runs.').waitFor();
    await visitor.ask('my name is Ada');
    await page.locator('[data-part=Memory] dd', { hasText: 'Ada' }).waitFor();
    await page.getByRole('tab', { name: 'Trace' }).click();
    await showsTheTrace(visitor, page);

    await nginx.change('friendly');
    await page.waitForFunction(() => {
      dispatchEvent(new Event('online'));
      return document.querySelector('.way[data-way=socket]');
    }, undefined, { polling: 500 });
    await visitor.connectedBy('open');
    await visitor.say(STORY);
    await grows(page);
    await page.getByRole('tab', { name: 'State' }).click();
    await page.getByRole('button', { name: 'Cancel output' }).click();
    await page.locator('.turn[data-status=stopped]').waitFor();
  }));

test('a server that is gone is said to be gone, and comes back', () =>
  stage.visit({ tolerates: /WebSocket connection|Failed to load resource/ }, async (visitor, page) => {
    await visitor.open('trace');
    await visitor.ask('hello');
    await way(page, 'socket');
    await stage.stopServer();
    await page.getByText('The server can\'t be reached').waitFor();
    assert.equal(await page.locator('.frame').count(), 2, 'what is known stays');
    await stage.startServer(new URL(stage.address).host);
    await way(page, 'socket');
    // The new server knows of no conversation.
    await page.locator('.invitation').waitFor();
    await visitor.ask('tell me a joke');
    await showsTheTrace(visitor, page);
  }));

test('what ran when the server was killed runs no more in any panel when it is back', () =>
  stage.visit({ tolerates: /WebSocket connection|Failed to load resource/ }, async (visitor, page) => {
    for (const [name, atWork, atRest] of [
      ['trace', '.frame', 'Nothing ran yet'],
      ['graph', '[data-state=running]', 'Say something, and its way lights up here.'],
      ['state', '.processes li', 'Nothing runs.'],
    ]) {
      await visitor.open(name);
      await visitor.say(STORY);
      await page.locator(`.drawer ${atWork}`).first().waitFor();
      const gone = new Promise((resolve) => stage.server.once('exit', resolve));
      stage.server.kill('SIGKILL');
      await gone;
      await page.getByText('The server can\'t be reached').waitFor();
      await stage.startServer(new URL(stage.address).host);
      await page.locator('.drawer').getByText(atRest).first().waitFor();
      assert.equal(await page.locator(`.drawer ${atWork}`).count(), 0, name);
    }
  }));
