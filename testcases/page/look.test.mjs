// How the page looks and feels: for every eye, hand and ear, in both themes, on a phone, and how much it weighs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SLOW, Stage, becomes, dark, phone } from './stage.mjs';

const TRANSFERRED_BYTES_MAX = 90_000;

const stage = new Stage({ wordPause: 5 });
const slow = new Stage(SLOW);
before(() => Promise.all([stage.open(), slow.open()]));
after(() => Promise.all([stage.close(), slow.close()]));

for (const [name, options] of [
  ['light', {}],
  ['dark', dark],
  ['phone', phone],
  ['phone-dark', { ...phone, ...dark }],
]) {
  test(`${name}: axe finds nothing, and nothing is wider than the window`, () =>
    stage.visit(options, async (visitor, page) => {
      await visitor.picture(`${name}-empty`);
      await visitor.finds('empty');
      for (const text of ['hello', 'why is the sky blue?', 'show me a table', 'show me a chart', 'make a traffic light']) await visitor.ask(text);
      await page.locator('[data-machine] .control').first().click();
      await visitor.ended(page.locator('.turn').nth(5));
      await visitor.ask('give me two buttons, red and blue');
      await visitor.picture(`${name}-conversation`);
      await visitor.finds('conversation');
      await fits(page);

      await page.locator('.trace-link').nth(1).click();
      await page.locator('.drawer .frame').first().waitFor();
      await visitor.picture(`${name}-trace`);
      await visitor.finds('trace');
      await fits(page);
      await page.getByRole('button', { name: 'Close the cockpit' }).click();

      await page.locator('.conversation-title').click();
      await page.getByRole('button', { name: 'Clear messages' }).click();
      await visitor.finds('dialog');
      await page.getByRole('button', { name: 'Cancel' }).click();
    }));
}

test('the page says plainly that the demo model answers, and how to use another', () =>
  stage.visit({}, async (visitor, page) => {
    await page.locator('.model', { hasText: 'demo' }).click();
    await page.locator('#about-model', { hasText: '--llm-url' }).waitFor();
    await visitor.picture('about-the-model');
    await visitor.finds('about the model');
  }));

test('the theme follows the system until it is chosen, and the choice is kept', () =>
  stage.visit(dark, async (visitor, page) => {
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const night = await paper();
    await page.getByRole('button', { name: 'Use the light theme' }).click();
    const day = await paper();
    assert.notEqual(day, night);
    await visitor.reload();
    await becomes(paper, day);
    await page.getByRole('button', { name: 'Use the dark theme' }).click();
    await becomes(paper, night);
    await page.emulateMedia({ colorScheme: 'light' });
    await becomes(paper, day, 'choosing what the system says is to follow it');
  }));

test('everything can be done with the keyboard alone', () =>
  stage.visit({}, async (visitor, page) => {
    const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
    const isOnFrames = () => page.evaluate(() => document.activeElement.matches('.trace-link') && document.activeElement.innerText.includes('2 frames'));
    await page.locator('a, button, textarea, [tabindex]').first().focus();
    assert.equal(await focused(), 'Skip to the message field');
    assert.ok((await page.locator('.skip').boundingBox()).y >= 0, 'it can be seen while it has the focus');
    await page.keyboard.press('Enter');
    await becomes(() => page.evaluate(() => document.activeElement.id), 'message');

    await page.keyboard.type('hello');
    await page.keyboard.press('Enter');
    const turn = page.locator('.turn').first();
    await visitor.ended(turn);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'message', 'the focus stays where one writes');

    // They are fetched when the first answer is there.
    await page.getByRole('button', { name: 'Bad answer' }).waitFor();
    for (const name of ['Bad answer', 'Good answer', 'Try again', 'Copy the answer']) {
      await page.keyboard.press('Shift+Tab');
      await becomes(focused, name);
    }
    await page.keyboard.press('Shift+Tab');
    await becomes(isOnFrames, true);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', 'the focus can be seen');
    await page.keyboard.press('Enter');
    await page.locator('.drawer .frame').first().waitFor();
    await becomes(focused, 'Trace');
    await page.keyboard.press('Escape');
    await becomes(isOnFrames, true, 'the focus is back where it was');

    await page.locator('#message').focus();
    await page.keyboard.type('make a traffic light');
    await page.keyboard.press('Enter');
    await visitor.ended(page.locator('.turn').nth(1));
    await page.locator('.control').first().focus();
    await page.keyboard.press('Enter');
    await visitor.ended(page.locator('.turn').nth(2));
    assert.match(await visitor.footer(page.locator('.turn').nth(2)), /^machine/);
  }));

test('an example begins the conversation', () =>
  stage.visit({}, async (visitor, page) => {
    await page.getByRole('button', { name: 'why is the sky blue?' }).click();
    await visitor.ended(page.locator('.turn'));
    assert.match(await visitor.footer(page.locator('.turn')), /4 frames/);
  }));

test('who reads above is left there, and can jump to the latest', () =>
  stage.visit({ viewport: { width: 800, height: 420 } }, async (visitor, page) => {
    for (const text of ['why is the sky blue?', 'show me a table', 'hello']) await visitor.ask(text);
    const scroller = page.locator('.scroller');
    const place = () => scroller.evaluate((element) => element.scrollTop);
    const isAtEnd = () => scroller.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 2);
    await becomes(isAtEnd, true);
    await scroller.evaluate((element) => element.scrollTo(0, 0));
    const jump = page.getByRole('button', { name: 'Jump to latest' });
    await jump.waitFor();
    const other = await page.context().newPage();
    await other.goto(visitor.url());
    await other.locator('#message').fill('hello');
    await other.locator('#message').press('Enter');
    await visitor.ended(page.locator('.turn').nth(3));
    assert.equal(await place(), 0);
    await jump.click();
    await becomes(isAtEnd, true);
    await jump.waitFor({ state: 'detached' });
  }));

test('nothing moves for who wants no motion', () =>
  slow.visit({ reducedMotion: 'reduce' }, async (visitor, page) => {
    await visitor.say('tell me a long story');
    await page.locator('.turn[data-status=running]').waitFor();
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    await page.keyboard.press('Escape');
  }));

test(`the page transfers at most ${TRANSFERRED_BYTES_MAX / 1000} kB, heads and all`, async (context) => {
  let requests = 0;
  let bytes = 0;
  const prepare = async (page) => {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Network.enable');
    devtools.on('Network.loadingFinished', ({ encodedDataLength }) => {
      requests += 1;
      bytes += encodedDataLength;
    });
  };
  await stage.visit({ prepare }, async (_visitor, page) => {
    await page.locator('.invitation').waitFor();
    await page.waitForLoadState('networkidle');
    context.diagnostic(`the page transfers ${bytes} bytes in ${requests} requests`);
    assert.ok(requests > 5 && bytes <= TRANSFERRED_BYTES_MAX, `${bytes} bytes in ${requests} requests`);
  });
});

async function fits(page) {
  const width = () => page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector('.scroller').scrollWidth - document.querySelector('.scroller').clientWidth]);
  await becomes(width, [page.viewportSize().width, 0]);
}
