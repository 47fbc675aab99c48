// The cockpit's panels follow the session's events: opened late, cut in the middle of a turn, and after the server has gone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { behind } from './behind.mjs';
import { Nginx } from './nginx.mjs';
import { SLOW, Stage, becomes, wire } from './stage.mjs';

const STORY = 'tell me a long story';

const stage = new Stage(SLOW);
before(() => stage.open());
after(() => stage.close());

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

test('one connection carries the chat and all panels', async () => {
  const { prepare, sockets } = wire();
  await stage.visit({ prepare }, async (visitor, page) => {
    await visitor.ask('hello');
    for (const panel of ['trace', 'state', 'graph']) await visitor.open(panel);
    await visitor.ask('hello');
    assert.equal(sockets.length, 1);
  });
});

test('a trace that is cut in the middle of a turn goes on without a hole', async () => {
  const { prepare, sockets, cut } = wire();
  await stage.visit({ prepare }, async (visitor, page) => {
    await visitor.open('trace');
    await visitor.say('what did I say before?');
    await page.locator('.frame').first().waitFor();
    for (let time = 0; time < 3; time += 1) {
      await page.waitForTimeout(150);
      await cut();
    }
    await showsTheTrace(visitor, page);
    await becomes(async () => sockets.length > 1, true);
  });
});

test('a panel that is opened in the middle of a turn shows it from its beginning, also after a reload', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.say(STORY);
    await page.locator('.turn[data-status=running] .answer').waitFor();
    await visitor.open('trace');
    await grows(page, 1);
    await becomes(() => page.locator('.frame .call').count(), 3);
    await visitor.reload();
    await grows(page, 1);
    await becomes(() => page.locator('.frame .call').count(), 3);
    await page.getByRole('button', { name: 'Stop' }).click();
    await showsTheTrace(visitor, page);
  }));

test('behind an nginx that upgrades nothing, all panels are live', () =>
  behind(stage, new Nginx(stage.address, 'plain'), {}, async (visitor, page) => {
    await visitor.connectedBy('stream');
    await visitor.open('trace');
    await visitor.say(STORY);
    await grows(page);
    await page.getByRole('tab', { name: 'Graph' }).click();
    await page.locator('[data-node=output][data-state=running]').waitFor();
    await page.getByRole('tab', { name: 'State' }).click();
    await page.getByRole('button', { name: 'Cancel output' }).click();
    await page.locator('.turn[data-status=stopped]').waitFor();
    await page.getByText('Nothing runs.').waitFor();
    await visitor.ask('my name is Ada');
    await page.locator('[data-part=Memory] dd', { hasText: 'Ada' }).waitFor();
    await page.getByRole('tab', { name: 'Trace' }).click();
    await showsTheTrace(visitor, page);
  }));

test('a server that is gone is said to be gone, and comes back', () =>
  stage.visit({ tolerates: /WebSocket connection|Failed to load resource/ }, async (visitor, page) => {
    await visitor.open('trace');
    await visitor.ask('hello');
    await page.locator('.frame').nth(1).waitFor();
    await stage.stopServer();
    await visitor.connectedBy('lost');
    assert.equal(await page.locator('.frame').count(), 2, 'what is known stays');
    await stage.startServer(new URL(stage.address).host);
    await visitor.connected();
    assert.equal(await page.locator('.turn').count(), 1, 'the conversation is there');
    await visitor.ask('tell me a joke');
    await showsTheTrace(visitor, page);
  }));

test('a turn that was cut off with its server says so when it is back', () =>
  stage.visit({ tolerates: /WebSocket connection|Failed to load resource/ }, async (visitor, page) => {
    await visitor.say(STORY);
    await page.locator('.turn .answer').waitFor();
    const gone = new Promise((resolve) => stage.server.once('exit', resolve));
    stage.server.kill('SIGKILL');
    await gone;
    await visitor.connectedBy('lost');
    await stage.startServer(new URL(stage.address).host);
    await page.locator('.turn[data-status=failed] .failure', { hasText: 'The server ended before this answer was finished.' }).waitFor();
    await visitor.open('state');
    await page.locator('.drawer').getByText('Nothing runs.').waitFor();
  }));

test('what ran when a server was killed that keeps nothing runs no more in any panel when it is back', async () => {
  const stage = new Stage({ ...SLOW, flags: ['--durability', 'none'] });
  await stage.open();
  try {
    await runsNoMore(stage);
  } finally {
    await stage.close();
  }
});

const runsNoMore = (stage) =>
  stage.visit({ tolerates: /WebSocket connection|Failed to load resource/ }, async (visitor, page) => {
    for (const [name, atWork, atRest] of [
      ['trace', '.frame', 'Nothing ran yet'],
      ['graph', '[data-state=running]', 'Say something, and its path lights up here.'],
      ['state', '.processes li', 'Nothing runs.'],
    ]) {
      await visitor.open(name);
      await visitor.say(STORY);
      await page.locator(`.drawer ${atWork}`).first().waitFor();
      const gone = new Promise((resolve) => stage.server.once('exit', resolve));
      stage.server.kill('SIGKILL');
      await gone;
      await visitor.connectedBy('lost');
      await stage.startServer(new URL(stage.address).host);
      await page.locator('.drawer').getByText(atRest).first().waitFor();
      assert.equal(await page.locator(`.drawer ${atWork}`).count(), 0, name);
    }
  });
