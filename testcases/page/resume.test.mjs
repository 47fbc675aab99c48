// Nothing is lost and nothing doubled, whatever the network does: gone, frozen, or with a proxy that holds things back.
//
// The page goes through a proxy of ours (or a real nginx); what it shows is compared with what the server, asked directly,
// says the history is.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { behind, nothingIsLost } from './behind.mjs';
import { Nginx } from './nginx.mjs';
import { Proxy } from './proxy.mjs';
import { SLOW, Stage, becomes, dark, growth, phone } from './stage.mjs';

const STORY = 'tell me a long story';

const stage = new Stage({ wordPause: 80 });
const slow = new Stage(SLOW);
before(() => Promise.all([stage.open(), slow.open()]));
after(() => Promise.all([stage.close(), slow.close()]));

const behindProxy = (scene, { takesSockets = true, on = stage, ...options } = {}) => behind(on, new Proxy(on.address, takesSockets), options, scene);
const behindNginx = (manner, scene) => behind(slow, new Nginx(slow.address, manner), {}, scene);

test('a tab that is closed in the middle of an answer and opened again', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say(STORY);
    await growth(page, 1);
    for (let time = 0; time < 3; time += 1) {
      const other = await page.context().newPage();
      await other.goto(visitor.url());
      await other.locator('.answer').waitFor();
      await other.close();
    }
    const last = await page.context().newPage();
    await page.close();
    await last.goto(visitor.url());
    visitor.page = last;
    await visitor.ended(last.locator('.turn'));
    await nothingIsLost(visitor, last);
  }));

test('offline in the middle of an answer, and online again', () =>
  behindProxy(async (visitor, page, proxy) => {
    await visitor.say(STORY);
    await growth(page, 1);
    await page.context().setOffline(true);
    proxy.cut('end');
    await page.locator('.notices', { hasText: 'connection to the server is lost' }).waitFor();
    await visitor.say('hello');
    await page.context().setOffline(false);
    await visitor.connectedBy('open');
    await visitor.ended(page.locator('.turn').nth(1));
    await page.locator('.notice').waitFor({ state: 'detached' });
    await nothingIsLost(visitor, page);
  }));

test('a socket that went silent without a word is noticed while an answer is awaited', () =>
  behindProxy(async (visitor, page, proxy) => {
    await visitor.say(STORY);
    await growth(page, 1);
    proxy.freeze();
    await visitor.ended(page.locator('.turn'));
    await nothingIsLost(visitor, page);
  }));

test('a laptop that wakes up looks whether its socket lives', () =>
  behindProxy(async (visitor, page, proxy) => {
    await visitor.ask('hello');
    proxy.freeze();
    const { session, address } = visitor;
    const answer = await fetch(`${address}/api/send?session=${session}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: 'hello again' }),
    });
    assert.equal(answer.status, 200);
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await visitor.ended(page.locator('.turn').nth(1));
    await nothingIsLost(visitor, page);
  }));

test('what was sent into a dead socket is not shown as sent: it can be sent again, once', () =>
  behindProxy(async (visitor, page, proxy) => {
    await visitor.ask('hello');
    proxy.freeze();
    await visitor.say('why is the sky blue?');
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.getByRole('button', { name: 'Send again' }).click();
    await visitor.ended(page.locator('.turn').nth(1));
    await nothingIsLost(visitor, page);
  }));

test('where no socket passes, the event stream wakes the page, and a socket takes over in the middle of an answer', () =>
  behindProxy(
    async (visitor, page, proxy) => {
      await visitor.connectedBy('stream');
      await visitor.ask('hello');
      await visitor.say(STORY);
      await growth(page, 2);
      proxy.takesSockets = true;
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await visitor.connectedBy('open');
      // And back down, in the same answer.
      proxy.takesSockets = false;
      proxy.cut('reset');
      await visitor.connectedBy('stream');
      await visitor.ended(page.locator('.turn').nth(1));
      await nothingIsLost(visitor, page);
    },
    { takesSockets: false, on: slow },
  ));

test('behind an nginx that upgrades nothing and buffers everything, the page asks twice a second', () =>
  behindNginx('strict', async (visitor, page, nginx) => {
    await visitor.connectedBy('poll');
    await page.locator('.notices', { hasText: 'holds the direct connection back' }).waitFor();
    await visitor.say(STORY);
    await visitor.say('make a traffic light');
    await growth(page, 2);
    assert.match(await page.locator('.turn[data-status=unsent]').innerText(), /as soon as possible/);
    await visitor.picture('slower');
    await page.keyboard.press('Escape');
    await page.locator('.notices', { hasText: 'Stopping needs the direct connection' }).waitFor();
    await visitor.ended(page.locator('.turn').nth(0));
    await visitor.ended(page.locator('.turn').nth(1));
    await page.locator('[data-machine] .control').first().click();
    await page.locator('.notices', { hasText: 'A button needs the direct connection' }).waitFor();
    assert.equal(await page.locator('.turn').count(), 2);
    await visitor.connectedBy('poll');
    await visitor.finds('slower');
    await nothingIsLost(visitor, page);

    await nginx.change('friendly');
    await visitor.say(STORY);
    await growth(page, 1);
    await page.waitForFunction(() => {
      dispatchEvent(new Event('online'));
      return document.querySelector('.connection[data-state=open]');
    }, undefined, { polling: 500 });
    await visitor.ended(page.locator('.turn').nth(2));
    await page.locator('[data-machine] .control').first().click();
    await page.locator('.turn .pressed').waitFor();
    await visitor.showsTheHistory();
  }));

for (const [name, options] of [
  ['phone', phone],
  ['dark', dark],
]) {
  test(`${name}: the banner about a slower way fits, and axe finds nothing`, () =>
    behindProxy(
      async (visitor, page) => {
        await page.locator('.notices', { hasText: 'holds the direct connection back' }).waitFor();
        await visitor.ask('hello');
        await visitor.picture(`${name}-slower`);
        await visitor.finds('slower');
        await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      },
      { takesSockets: false, ...options },
    ));
}

test('behind an nginx that passes upgrades on, the socket works', () =>
  behindNginx('friendly', async (visitor, page) => {
    await visitor.connectedBy('open');
    await visitor.ask('hello');
    await nothingIsLost(visitor, page);
  }));
