// A message gets to the server exactly once, wherever the connection breaks, and everything works by either kind of connection.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { behind, nothingIsLost } from './behind.mjs';
import { Proxy } from './proxy.mjs';
import { SLOW, Stage, becomes, growth } from './stage.mjs';

const QUESTION = 'why is the sky blue?';
const STORY = 'tell me a long story';

const stage = new Stage({ wordPause: 40 });
const slow = new Stage(SLOW);
before(() => Promise.all([stage.open(), slow.open()]));
after(() => Promise.all([stage.close(), slow.close()]));

const isPost = ({ from, text }) => from === 'page' && /^POST \/api\/(send|action)\?/m.test(text);
const isAnswer = ({ from, isSend }) => from === 'server' && isSend;
const holds = (word) => ({ from, text }) => from === 'server' && text.includes(word);

/** Where a connection can break around a message. */
const CUTS = [
  ['before the message is sent', 'before', isPost],
  ['after it is sent, before it is acknowledged', 'before', isAnswer],
  ['after it is acknowledged', 'after', isAnswer],
  ['before its turn starts', 'before', holds('"turn_started"')],
  ['while the answer streams', 'after', holds('"streaming"')],
  ['before the turn ends', 'before', holds('"frame_trace"')],
  ['after the turn has ended', 'after', holds('"frame_trace"')],
];

/** Breaks all connections once, at the first piece that fits. Gives whether it has. */
function cutOnce(proxy, where, fits) {
  let isCut = false;
  proxy.cutAt = (piece) => {
    if (isCut || !fits(piece)) return undefined;
    isCut = true;
    return where;
  };
  return () => isCut;
}

/** The bodies that the page posts to one path. */
function posts(page, path) {
  const bodies = [];
  page.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname === path) bodies.push(request.postDataJSON());
  });
  return bodies;
}

for (const [kind, takesSockets] of [['open', true], ['stream', false]]) {
  test(`${kind}: a message gets through exactly once, wherever the connection breaks`, () =>
    behind(stage, new Proxy(stage.address, takesSockets), {}, async (visitor, page, proxy) => {
      const sent = posts(page, '/api/send');
      for (const [at, [name, where, fits]] of CUTS.entries()) {
        await visitor.connectedBy(kind);
        const before = sent.length;
        const isCut = cutOnce(proxy, where, fits);
        await visitor.say(QUESTION);
        const turn = page.locator('.turn').nth(at);
        await visitor.ended(turn);
        assert.ok(isCut(), `cut ${name}`);
        await becomes(() => turn.getAttribute('data-status'), 'done', name);
        const questions = (await visitor.history()).filter(({ role }) => role === 'user');
        assert.equal(questions.length, at + 1, name);
        const ids = sent.slice(before).map(({ id }) => id);
        assert.equal(new Set(ids).size, 1, `${name}: it keeps its id`);
        assert.equal(questions.at(-1).client_id, ids[0], name);
        await visitor.showsTheHistory();
      }
      await nothingIsLost(visitor, page);
    }));

  test(`${kind}: a button that is pressed counts once, wherever the connection breaks`, () =>
    behind(stage, new Proxy(stage.address, takesSockets), {}, async (visitor, page, proxy) => {
      await visitor.connectedBy(kind);
      await visitor.ask('make a traffic light');
      const sent = posts(page, '/api/action');
      for (const [at, [name, where, fits]] of CUTS.slice(0, 3).entries()) {
        await visitor.connectedBy(kind);
        const [{ current }] = (await visitor.read('/api/state')).machines;
        cutOnce(proxy, where, fits);
        await page.locator('[data-machine] .control').first().click();
        await visitor.ended(page.locator('.turn').nth(at + 1));
        const { machines, controls } = await visitor.read('/api/state');
        assert.notEqual(machines[0].current, current, name);
        await becomes(() => page.locator('[data-machine] .control').first().innerText(), controls.find(({ type }) => type === 'button').label);
      }
      assert.equal(new Set(sent.map(({ id }) => id)).size, 3);
      assert.equal((await visitor.read('/api/frames', { last: 20 })).traces.length, 4, 'a turn for each');
    }));

  test(`${kind}: a turn makes the page read nothing again, whatever panel is open`, () =>
    behind(stage, new Proxy(stage.address, takesSockets), {}, async (visitor, page) => {
      await visitor.connectedBy(kind);
      await visitor.ask('hello');
      for (const [panel, reads] of [['chat'], ['trace'], ['state', /api\/state/], ['graph', /api\/graph\/(active|list)/]]) {
        const read = reads && page.waitForResponse(reads);
        if (panel !== 'chat') await visitor.open(panel);
        await (await read)?.finished();
        if (panel === 'graph') await page.locator('.graph .choice').nth(1).waitFor({ state: 'attached' });
        const turns = await page.locator('.turn').count();
        const calls = [];
        const note = (request) => /^\/(api|ws)\b/.test(new URL(request.url()).pathname) && calls.push(`${request.method()} ${new URL(request.url()).pathname}`);
        page.on('request', note);
        await visitor.ask('make a traffic light');
        await page.locator('[data-machine] .control').first().click();
        await visitor.ended(page.locator('.turn').nth(turns + 1));
        await becomes(async () => (await visitor.read('/api/state')).memorizing, false);
        page.off('request', note);
        // The trace shows requests and answers in full, which no event carries: it reads a turn that has ended.
        const others = calls.filter((call) => panel !== 'trace' || !['GET /api/turn', 'GET /api/trace'].includes(call));
        assert.deepEqual(others, ['POST /api/send', 'POST /api/action'], panel);
        await visitor.showsTheHistory();
      }
    }));

  test(`${kind}: Stop, buttons and cancelling a call work`, () =>
    behind(slow, new Proxy(slow.address, takesSockets), {}, async (visitor, page) => {
      await visitor.connectedBy(kind);
      await visitor.say(STORY);
      await growth(page, 1);
      await page.keyboard.press('Escape');
      await visitor.ended(page.locator('.turn[data-status=stopped]'));
      await visitor.ask('make a traffic light');
      const state = page.locator('.machine-name b');
      const before = await state.innerText();
      await page.locator('[data-machine] .control').first().click();
      await visitor.ended(page.locator('.turn').nth(2));
      assert.notEqual(await state.innerText(), before);
      await visitor.open('state');
      await visitor.say(STORY);
      await page.getByRole('button', { name: 'Cancel output' }).click();
      await page.locator('.turn').nth(3).and(page.locator('[data-status=stopped]')).waitFor();
      await nothingIsLost(visitor, page);
    }));
}

test('a message that was acknowledged to nobody before the page was left is not sent as another one afterwards', async () => {
  let swallows = false;
  const prepare = (page) =>
    page.route('**/api/send?*', async (route) => {
      const response = await route.fetch();
      if (swallows) await route.abort();
      else await route.fulfill({ response });
    });
  await stage.visit({ prepare, tolerates: /Failed to load resource/ }, async (visitor, page) => {
    await visitor.ask('hello');
    swallows = true;
    await visitor.say(QUESTION);
    await page.locator('.turn').nth(1).waitFor();
    await becomes(async () => (await visitor.history()).filter(({ role }) => role === 'user').length, 2);
    await visitor.reload();
    swallows = false;
    await visitor.ended(page.locator('.turn').nth(1));
    await visitor.ask('hello');
    assert.equal((await visitor.history()).filter(({ content }) => content === QUESTION).length, 1);
    await visitor.showsTheHistory();
  });
});

test('the same id again gets the turn that it has, and the page shows it once', () =>
  stage.visit({}, async (visitor, page) => {
    const message = { id: 'a.name:of-its-own_1', text: 'hello' };
    const first = await visitor.send('/api/send', message);
    await visitor.ended(page.locator('.turn'));
    const again = await visitor.send('/api/send', message);
    assert.deepEqual([again.id, again.client_id], [first.id, message.id]);
    await visitor.ask(QUESTION);
    assert.equal(await page.locator('.turn').count(), 2);
    await visitor.showsTheHistory();
  }));

test('a message waits for the turn of another window, and comes after it', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.send('/api/send', { text: 'tell me a joke' });
    await page.locator('.turn[data-status=running]').waitFor();
    await visitor.say('hello');
    await page.locator('.turn[data-status=waiting]', { hasText: 'queued' }).waitFor();
    await visitor.ended(page.locator('.turn').nth(1));
    assert.deepEqual((await visitor.history()).filter(({ role }) => role === 'user').map(({ content }) => content), ['tell me a joke', 'hello']);
    await visitor.showsTheHistory();
  }));

test('retries while a session is busy; shows any other refusal and gives the message back', () => {
  const refusals = [
    [409, { code: 'session_busy', detail: 'a turn is running' }],
    [503, { code: 'sessions_full', detail: 'session limit reached; try again later' }],
  ];
  const posted = [];
  const prepare = (page) =>
    page.route('**/api/send?*', (route) => {
      posted.push(route.request().postDataJSON().id);
      const [status, json] = refusals.shift() ?? [];
      return status ? route.fulfill({ status, json }) : route.continue();
    });
  return stage.visit({ prepare, tolerates: /status of (409|503|403)/ }, async (visitor, page) => {
    await visitor.ask('hello');
    assert.deepEqual([posted.length, new Set(posted).size], [3, 1]);
    for (const code of ['foreign_origin', 'unknown_host', 'message_too_large']) {
      const detail = `the server's own sentence about ${code}`;
      refusals.push([403, { code, detail }]);
      await visitor.say(QUESTION);
      await page.locator('.notice', { hasText: detail }).waitFor();
      await becomes(() => page.locator('#message').inputValue(), QUESTION);
      assert.equal(await page.locator('.turn').count(), 1);
    }
    await visitor.picture('refused');
  });
});

test('a page whose reads are refused shows why', () => {
  let isRefused = true;
  const detail = 'this server is not called example.org; start it with `--host example.org`';
  const prepare = (page) =>
    page.route(/\/api\/|\/auth\//, (route) => (isRefused ? route.fulfill({ status: 403, json: { code: 'unknown_host', detail } }) : route.continue()));
  return stage.visit({ prepare, tolerates: /status of 403/, isConnecting: false }, async (visitor, page) => {
    await page.locator('.notice', { hasText: detail }).waitFor();
    isRefused = false;
    await visitor.connected();
    await visitor.ask('hello');
  });
});
