// Without sign-in: a conversation for each browser, at an address that can be kept and shared.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 5 });
before(() => stage.open());
after(() => stage.close());

const questions = (page) => () => page.locator('.question').evaluateAll((all) => all.map(({ lastChild }) => lastChild.textContent));
const sessionOf = (page) => new URL(page.url()).searchParams.get('session');

/** Opens the page as a browser does that knows nothing but the server's address. */
async function opened(visitor, page, address = stage.address) {
  await page.goto(address);
  await visitor.connected();
  visitor.session = sessionOf(page);
  return visitor.session;
}

test('two browsers have two conversations, and the API has its own', () =>
  stage.visit({}, (one, page) =>
    stage.visit({}, async (other, second) => {
      const names = [await opened(one, page), await opened(other, second)];
      assert.notEqual(names[0], names[1]);
      for (const name of names) assert.match(name, /^[\w-]{16}$/);
      await one.ask('hello, my name is pelican');
      await other.ask('hello');
      assert.deepEqual([await questions(page)(), await questions(second)()], [['hello, my name is pelican'], ['hello']]);
      one.session = 'default';
      assert.deepEqual(await one.history(), []);
    })));

test('a reload and a bookmark return to it, and what is open stays open', () =>
  stage.visit({}, async (visitor, page) => {
    const name = await opened(visitor, page, `${stage.address}/#/state`);
    assert.equal(page.url(), `${stage.address}/?session=${name}#/state`);
    await page.locator('#tab-state[aria-selected=true]').waitFor();
    await visitor.ask('hello');
    await visitor.reload();
    assert.equal(sessionOf(page), name);
    await becomes(questions(page), ['hello']);
    const bookmark = page.url();
    await page.goto('about:blank');
    await page.goto(bookmark);
    await becomes(questions(page), ['hello']);
  }));

test('an address that is shared shares the conversation', () =>
  stage.visit({}, (one, page) =>
    stage.visit({}, async (other, second) => {
      await opened(one, page);
      await one.ask('hello');
      await opened(other, second, page.url());
      await becomes(questions(second), ['hello']);
      await other.ask('why is the sky blue?');
      await becomes(questions(page), ['hello', 'why is the sky blue?']);
    })));

for (const [name, options] of [['desktop', {}], ['phone', phone]]) {
  test(`${name}: the page shows which conversation it is, and copies its address`, () =>
    stage.visit({ ...options, permissions: ['clipboard-read', 'clipboard-write'] }, async (visitor, page) => {
      const session = await opened(visitor, page);
      await page.locator('.you', { hasText: session }).click();
      const sheet = page.locator('#about-you');
      await sheet.locator('code', { hasText: session }).waitFor();
      await visitor.picture(`${name}-conversation-sheet`);
      await visitor.finds('this conversation');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await sheet.getByRole('button', { name: 'Copy the address of this conversation' }).click();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url());
    }));
}

test('a new conversation has its own address, and the old one stays at its own', () =>
  stage.visit({}, async (visitor, page) => {
    const first = await opened(visitor, page);
    await visitor.ask('hello');
    await page.locator('#message').fill('a draft');
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.locator('.invitation').waitFor();
    const second = sessionOf(page);
    assert.notEqual(second, first);
    assert.equal(await page.locator('#message').inputValue(), '');
    await visitor.ask('why is the sky blue?');
    await page.goBack();
    await becomes(() => sessionOf(page), first);
    await becomes(questions(page), ['hello']);
    await becomes(() => page.locator('#message').inputValue(), 'a draft');
  }));
