// The end of the conversation stays in view whatever changes its room, and text that is on the screen stays there.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes, dark, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 1 });
const forgetful = new Stage({ wordPause: 1, flags: ['--durability', 'none'] });
before(() => Promise.all([stage.open(), forgetful.open()]));
after(() => Promise.all([stage.close(), forgetful.close()]));

/** Pixels between what is seen and the end. */
const fromEnd = (page) => page.locator('.scroller').evaluate((element) => Math.round(element.scrollHeight - element.scrollTop - element.clientHeight));

/** As much as fills the page. */
async function fill(visitor) {
  for (let time = 0; time < 3; time += 1) await visitor.ask('tell me a long story');
}

for (const [name, options] of [['desktop', {}], ['phone', phone]]) {
  test(`${name}: the end stays in view when the composer grows, a banner comes and the window gets smaller`, () =>
    stage.visit({ tolerates: /WebSocket|Failed to load|ERR_/, ...options }, async (visitor, page) => {
      await fill(visitor);
      await becomes(() => fromEnd(page), 0);
      const room = () => page.locator('.scroller').evaluate(({ clientHeight }) => clientHeight);
      const before = await room();
      await page.locator('#message').fill('a\nb\nc\nd\ne\nf');
      await becomes(async () => (await room()) < before - 60, true);
      await becomes(() => fromEnd(page), 0, 'the composer grew');
      const grown = await room();
      await page.context().setOffline(true);
      await page.evaluate(() => dispatchEvent(new Event('offline')));
      await page.locator('.notice').waitFor();
      await becomes(async () => (await room()) < grown, true);
      await becomes(() => fromEnd(page), 0, 'a banner came');
      await page.setViewportSize({ width: page.viewportSize().width, height: page.viewportSize().height - 200 });
      await becomes(() => fromEnd(page), 0, 'the window is smaller');
      assert.equal(await page.locator('.latest').count(), 0);
      await page.context().setOffline(false);

      // Who reads further up stays there.
      await page.locator('.scroller').evaluate((element) => (element.scrollTop = 50));
      await page.locator('.latest').waitFor();
      await page.locator('#message').fill('a');
      await becomes(async () => (await room()) > 100, true);
      assert.equal(await page.locator('.scroller').evaluate(({ scrollTop }) => scrollTop), 50);
    }));
}

test('a phone\'s keyboard leaves the composer and the end in view', () => {
  // What a browser reports when its keyboard opens over the page.
  const prepare = (page) =>
    page.addInitScript(() => {
      const view = Object.assign(new EventTarget(), { height: innerHeight, scale: 1, offsetTop: 0 });
      Object.defineProperty(window, 'visualViewport', { value: view });
    });
  return stage.visit({ prepare, ...phone }, async (visitor, page) => {
    await fill(visitor);
    const opens = (height, further = {}) => page.evaluate(([height, further]) => {
      Object.assign(visualViewport, { height, scale: 1, ...further });
      visualViewport.dispatchEvent(new Event('resize'));
    }, [height, further]);
    const bottom = () => page.locator('.composer').evaluate((composer) => composer.getBoundingClientRect().bottom);
    const whole = await page.evaluate(() => innerHeight);
    await opens(whole - 320);
    await becomes(async () => (await bottom()) <= whole - 320, true);
    await becomes(() => fromEnd(page), 0);
    await opens(whole);
    await becomes(async () => (await bottom()) > whole - 100, true);
    await becomes(() => fromEnd(page), 0);
    // Enlarged with two fingers, the page is no smaller.
    await opens(whole / 2, { scale: 2 });
    assert.ok((await bottom()) > whole - 100);
  });
});

for (const [name, options] of [['desktop', {}], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: what the server has lost stays on the page, to be read, and is marked`, () =>
    forgetful.visit({ tolerates: /WebSocket connection|Failed to load resource/, permissions: ['clipboard-read', 'clipboard-write'], ...options }, async (visitor, page) => {
      await visitor.send('/api/graph/switch', { name: 'v4-eras' });
      await visitor.ask('Welche Ablesungen fehlen 2024?');
      await page.locator('.turn .results tbody tr').first().waitFor();
      const text = await page.locator('.turn .answer').innerText();
      const { host } = new URL(forgetful.address);
      await forgetful.stopServer();
      await forgetful.startServer(host);
      const gone = page.locator('.turn[data-gone]');
      await gone.getByText('no longer on the server; kept on this page to be read').waitFor();
      assert.equal(await gone.locator('.answer').innerText(), text);
      await gone.locator('.results tbody tr').first().waitFor();
      assert.equal(await gone.getByRole('button', { name: /Edit|Try again|Good answer/ }).count(), 0);
      await visitor.picture(`${name}-gone`);
      await visitor.finds('a conversation that is gone');

      await visitor.ask('hello');
      assert.equal(await page.locator('.turn').count(), 2);
      assert.equal(await gone.count(), 1, 'the new one has the number of the old one, and is another');
      await visitor.showsTheHistory();
      await visitor.reload();
      await visitor.showsTheHistory();
      assert.equal(await gone.count(), 0, 'a new page shows what there is');
    }));
}

test('a switch of the graph leaves the conversation to be read; what the user erases is gone', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('hello');
    await visitor.send('/api/graph/switch', { name: 'v4-eras' });
    await page.locator('.turn[data-gone] .answer').waitFor();
    await visitor.ask('hello');
    assert.equal(await page.locator('.turn').count(), 2);
    await visitor.showsTheHistory();
    await page.locator('.conversation-title').click();
    await page.getByRole('button', { name: 'Clear messages…' }).click();
    await page.getByRole('button', { name: 'Clear', exact: true }).click();
    await page.locator('.invitation').waitFor();
    assert.equal(await page.locator('.turn').count(), 0);
  }));
