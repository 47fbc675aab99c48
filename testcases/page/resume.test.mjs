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
/** @param {'strict' | 'plain' | 'renamed' | 'friendly'} manner */
const behindNginx = (manner, ...[options, scene]) => behind(slow, new Nginx(slow.address, manner), scene ? options : {}, scene ?? options);

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
    proxy.cut('end', proxy.frozen());
    await nothingIsLost(visitor, page);
  }));

test('a laptop that wakes up checks whether its socket lives', () =>
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
    proxy.cut('end', proxy.frozen());
    await nothingIsLost(visitor, page);
  }));

test('what was sent over a dead connection is sent again, and counts once', () =>
  behindProxy(async (visitor, page, proxy) => {
    await visitor.ask('hello');
    proxy.freeze();
    await visitor.say('why is the sky blue?');
    await page.locator('.turn[data-status=sent]').waitFor();
    proxy.cut('end');
    await visitor.ended(page.locator('.turn').nth(1));
    await nothingIsLost(visitor, page);
  }));

test('where no socket passes, the event stream carries everything, and a socket takes over in the middle of an answer', () =>
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

test('an event stream that went silent without a word is noticed while an answer is awaited', () =>
  behindProxy(
    async (visitor, page, proxy) => {
      await visitor.connectedBy('stream');
      await visitor.say(STORY);
      await growth(page, 1);
      proxy.freeze();
      await visitor.ended(page.locator('.turn'));
      proxy.cut('end', proxy.frozen());
      await nothingIsLost(visitor, page);
    },
    { takesSockets: false },
  ));

test('behind an nginx that upgrades nothing, the event stream is enough', () =>
  behindNginx('plain', async (visitor, page) => {
    await visitor.connectedBy('stream');
    await visitor.say(STORY);
    await growth(page, 2);
    await page.keyboard.press('Escape');
    await visitor.ended(page.locator('.turn[data-status=stopped]'));
    await visitor.ask('make a traffic light');
    await page.locator('[data-machine] .control').first().click();
    await visitor.ended(page.locator('.turn').nth(2));
    await visitor.picture('stream');
    await visitor.finds('an event stream');
    assert.equal(await page.locator('.notice').count(), 0, 'nothing is missing, so nothing is said');
    await nothingIsLost(visitor, page);
  }));

test('behind an nginx that upgrades nothing and buffers everything, the page says so, keeps what is written, and sends it once it can', () =>
  behindNginx('strict', { isConnecting: false }, async (visitor, page, nginx) => {
    await visitor.connectedBy('blocked');
    await page.locator('.notices', { hasText: 'a proxy between this page and the server blocks live connections' }).waitFor();
    await visitor.say('hello');
    await page.locator('.turn[data-status=unsent]', { hasText: 'will be sent once connected' }).waitFor();
    await visitor.picture('blocked');
    await visitor.finds('blocked');

    await nginx.change('friendly');
    await page.waitForFunction(() => {
      dispatchEvent(new Event('online'));
      return document.querySelector('.connection[data-state=open]');
    }, undefined, { polling: 500 });
    await visitor.ended(page.locator('.turn'));
    await page.locator('.notice').waitFor({ state: 'detached' });
    await nothingIsLost(visitor, page);
  }));

for (const [name, options] of [
  ['phone', phone],
  ['dark', dark],
]) {
  test(`${name}: the banner about a proxy fits, and axe finds nothing`, () =>
    behindNginx('strict', { isConnecting: false, ...options }, async (visitor, page) => {
      await visitor.connectedBy('blocked');
      await page.locator('.notice').waitFor();
      await visitor.picture(`${name}-blocked`);
      await visitor.finds('blocked');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
    }));
}

test('behind an nginx whose name the server doesn\'t know, its refusal is shown, and the message is not lost', () =>
  behindNginx('renamed', async (visitor, page, nginx) => {
    await visitor.say('hello');
    await page.locator('.notice', { hasText: `pages from \`${nginx.address}\` may not use this server` }).waitFor();
    await becomes(() => page.locator('#message').inputValue(), 'hello');
    assert.equal(await page.locator('.turn').count(), 0);
    await nginx.change('friendly');
    await page.waitForFunction(() => {
      dispatchEvent(new Event('online'));
      return document.querySelector('.connection[data-state=open]');
    }, undefined, { polling: 500 });
    await page.locator('#message').press('Enter');
    await visitor.ended(page.locator('.turn'));
    await nothingIsLost(visitor, page);
  }));

test('behind an nginx that passes upgrades on, the socket works', () =>
  behindNginx('friendly', async (visitor, page) => {
    await visitor.connectedBy('open');
    await visitor.ask('hello');
    await nothingIsLost(visitor, page);
  }));
