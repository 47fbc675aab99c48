// A conversation in a real browser over the real socket: frames are counted, answers stream, stop, wait and survive.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SLOW, Stage, becomes, copies, growth, letters, wire } from './stage.mjs';

const stage = new Stage({ wordPause: 60 });
const slow = new Stage(SLOW);
before(() => Promise.all([stage.open(), slow.open()]));
after(() => Promise.all([stage.close(), slow.close()]));

test('turns of 2, 4 and 5 frames say so in their footers, their traces and the opened list', () =>
  stage.visit({}, async (visitor, page) => {
    for (const [message, path, frames] of [
      ['hello', 'reflex', 2],
      ['why is the sky blue?', 'director', 4],
      ['what did I say before?', 'director+interpreter', 5],
    ]) {
      const turn = await visitor.ask(message);
      const footer = await visitor.footer(turn);
      assert.match(footer.replace(`${path} · ${frames} frames · `, ''), /^<?[\d.]+\s(ms|s)$/, `${message}: ${footer}`);
      const trace = await visitor.lastTrace();
      assert.deepEqual([trace.path, trace.total_frames], [path, frames], message);
      assert.ok((await turn.locator('.answer').innerText()).length > 3, message);
      await turn.locator('.trace-link').click();
      await page.locator('.drawer .trace-message', { hasText: message }).waitFor();
      await becomes(() => page.locator('.frame').count(), frames, message);
    }
    await visitor.showsTheHistory();
  }));

test('a deep link opens a turn\'s trace, and back closes it', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('hello');
    await page.goto(visitor.url('#/turn/msg_1'));
    await page.reload();
    await page.locator('.drawer .frame').first().waitFor();
    await becomes(() => page.locator('.frame').count(), 2);
    await page.getByRole('button', { name: 'Close the cockpit' }).click();
    await page.locator('.drawer').waitFor({ state: 'detached' });
    await page.goBack();
    await page.locator('.drawer').waitFor();
  }));

test('an answer grows while it is made, and is read out only as a whole', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    const texts = await growth(page, 4);
    texts.slice(1).forEach((text, at) => assert.ok(letters(text).startsWith(letters(texts[at])), 'what is shown stays'));
    assert.equal(await page.locator('.turn [aria-live], .turn [role=status], .turn [role=log]').count(), 0);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.turn[data-status=stopped] .trace-link').waitFor();
    const answer = await visitor.ask('hello');
    const said = letters(await answer.locator('.answer').innerText());
    await becomes(() => page.locator('main > [role=status]').textContent().then(letters), said);
  }));

for (const [how, stop] of [
  ['the button', (page) => page.getByRole('button', { name: 'Stop' }).click()],
  ['the Escape key', (page) => page.keyboard.press('Escape')],
]) {
  test(`${how} stops an answer; what was shown stays and the next message works`, () =>
    slow.visit({}, async (visitor, page) => {
      await visitor.say('tell me a long story');
      await growth(page, 2);
      await stop(page);
      const stopped = page.locator('.turn[data-status=stopped]');
      await visitor.ended(stopped);
      assert.match(await stopped.locator('.foot').innerText(), /stopped/);
      const kept = (await visitor.history()).at(-1);
      assert.deepEqual([kept.role, kept.partial], ['assistant', true]);
      assert.equal(letters(await stopped.locator('.answer').innerText()), letters(kept.content));
      await visitor.ask('hello');
      await visitor.reload();
      await visitor.showsTheHistory();
      assert.match(await page.locator('.turn').first().innerText(), /stopped/);
    }));
}

test('messages that are sent meanwhile wait, are shown waiting, and go on when the answer before them is stopped', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    await growth(page, 1);
    await visitor.say('hello');
    await visitor.say('why is the sky blue?');
    await page.locator('.turn[data-status=waiting]').nth(1).waitFor();
    await page.keyboard.press('Escape');
    await visitor.ended(page.locator('.turn').nth(1));
    await page.locator('.turn').nth(2).locator('.answer').waitFor();
    const statuses = await page.locator('.turn').evaluateAll((turns) => turns.map(({ dataset }) => dataset.status));
    assert.deepEqual(statuses.slice(0, 2), ['stopped', 'done']);
    assert.deepEqual(
      await page.locator('.question').evaluateAll((questions) => questions.map((question) => question.lastChild.textContent)),
      ['tell me a long story', 'hello', 'why is the sky blue?'],
    );
  }));

test('a ninth waiting message is refused in words and stays the draft', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    await page.locator('.turn[data-status=running]').waitFor();
    for (let number = 1; number <= 9; number += 1) await visitor.say(`waiting ${number}`);
    await page.locator('.notices', { hasText: 'waiting already' }).waitFor();
    await becomes(() => page.locator('#message').inputValue(), 'waiting 9');
    await becomes(() => page.locator('.turn[data-status=waiting]').count(), 8);
    await page.keyboard.press('Escape');
  }));

test('a page that is reloaded in the middle of an answer goes on with it', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    const before = (await growth(page, 2)).at(-1);
    await visitor.say('hello');
    await visitor.reload();
    await page.waitForFunction((length) => (document.querySelector('.answer')?.textContent.length ?? 0) > length, before.length);
    const after = await page.locator('.answer').first().innerText();
    assert.ok(letters(after).startsWith(letters(before)), 'the beginning is there, once');
    assert.equal(await page.locator('.turn[data-status=waiting] .question').innerText().then(letters), 'hello');
    await page.keyboard.press('Escape');
    await page.locator('.turn[data-status=stopped]').waitFor();
    await visitor.ended(page.locator('.turn').nth(1));
    assert.equal(letters(await page.locator('.answer').first().innerText()), letters((await visitor.history())[1].content));
  }));

test('what is written before the history has come is sent, though the same was said before', () => {
  let held = Promise.resolve();
  const prepare = (page) => page.route('**/api/history*', (route) => held.then(() => route.continue()));
  return stage.visit({ prepare }, async (visitor, page) => {
    await visitor.ask('hello');
    let release;
    held = new Promise((resolve) => (release = resolve));
    await page.reload();
    await visitor.say('hello');
    await page.locator('.turn[data-status=unsent]').waitFor();
    release();
    await visitor.ended(page.locator('.turn').nth(1));
    await visitor.showsTheHistory();
  });
});

test('a socket that is cut during every answer neither doubles nor loses a word', async () => {
  const { prepare, sockets, cut } = wire();
  await stage.visit({ prepare }, async (visitor, page) => {
    for (let count = 0; count < 5; count += 1) {
      await visitor.say('tell me a long story');
      const turn = page.locator('.turn').nth(count);
      await turn.locator('.answer').waitFor();
      await cut();
      await visitor.ended(turn);
      await becomes(() => turn.getAttribute('data-status'), 'done');
    }
    await becomes(async () => sockets.length > 5, true);
    await visitor.showsTheHistory();
  });
});

test('a page outlives its server: it says so, keeps what is written meanwhile, and goes on where it was', () =>
  outlives(stage, async (visitor, page) => {
    assert.equal(await page.locator('.turn').count(), 2, 'the conversation is there');
    assert.equal(await page.locator('.notice').count(), 0, 'and nothing is said to be lost');
    await visitor.ask('hello');
    await visitor.showsTheHistory();
  }));

test('a page outlives a server that keeps nothing: it says what is gone', async () => {
  const forgetful = new Stage({ flags: ['--durability', 'none'] });
  await forgetful.open();
  try {
    await outlives(forgetful, async (visitor, page) => {
      await page.locator('.notice', { hasText: 'The server restarted and the previous conversation was lost.' }).waitFor();
      await visitor.ask('hello');
      // With the next message it is no news any more.
      await page.locator('.notice').waitFor({ state: 'detached' });
    });
  } finally {
    await forgetful.close();
  }
});

/** A server ends and comes back while a page is open, on which something is written meanwhile; and what is seen then. */
const outlives = (stage, scene) =>
  stage.visit({ tolerates: /WebSocket connection|Failed to load resource/ }, async (visitor, page) => {
    await visitor.ask('hello');
    const { host } = new URL(stage.address);
    await stage.stopServer();
    await page.locator('.notices', { hasText: 'connection to the server is lost' }).waitFor();
    await visitor.connectedBy('lost');
    await visitor.say('why is the sky blue?');
    await page.locator('.turn[data-status=unsent]').waitFor();
    await stage.startServer(host);
    const turn = page.locator('.turn', { hasText: 'why is the sky blue?' });
    await visitor.ended(turn);
    assert.equal(await turn.count(), 1);
    await visitor.showsTheHistory();
    await scene(visitor, page);
  });

test('the answer and a block of code can be copied', () =>
  stage.visit({ permissions: ['clipboard-read', 'clipboard-write'] }, async (visitor, page) => {
    const turn = await visitor.ask('hello');
    await copies(turn, 'Copy the answer');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), (await visitor.history()).at(-1).content);
  }));

test('two windows of one session show the same conversation', () =>
  stage.visit({}, async (visitor, page) => {
    const other = await page.context().newPage();
    await other.goto(visitor.url());
    await other.locator('.connection[data-state=open]').waitFor();
    await visitor.ask('hello');
    await visitor.ended(other.locator('.turn'));
    await other.locator('.question', { hasText: 'hello' }).waitFor();
    assert.equal(await other.locator('.answer').innerText(), await page.locator('.answer').innerText());
  }));

test('a draft is kept, Shift+Enter begins a line, and clearing a conversation forgets it', () =>
  stage.visit({}, async (visitor, page) => {
    const field = page.locator('#message');
    await field.pressSequentially('first');
    await field.press('Shift+Enter');
    await field.pressSequentially('second');
    await visitor.reload();
    await becomes(() => field.inputValue(), 'first\nsecond');
    await visitor.ask('hello');
    await page.locator('.conversation-title').click();
    await page.getByRole('button', { name: 'Clear messages' }).click();
    await page.getByRole('button', { name: 'Clear', exact: true }).click();
    await page.locator('.invitation').waitFor();
    assert.equal(await page.locator('.turn').count(), 0);
    assert.deepEqual(await visitor.history(), []);
  }));
