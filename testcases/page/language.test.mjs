// The page in another language: what the browser prefers and what the reader chooses, and that no text is left behind.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 5 });
before(() => stage.open());
after(() => stage.close());

const read = async (code) => (await import(new URL(`../../static/lang/${code}.js`, import.meta.url))).default;
const [en, de] = await Promise.all(['en', 'de'].map(read));
const forms = (text) => (typeof text === 'string' ? [text] : Object.values(text));
const placeholders = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort().join();

/** What the parts of the page say that this test knows all texts of: also to screen readers and in tooltips. */
const PARTS = '.skip, .topbar, .conversations, .composer, .notices, [popover]';
/** Not a matter of language, or written by somebody. */
const OTHERS = ['framewright', 'demo', 'English', 'Deutsch', 'v3-framed', '⋯', 'hello', 'why is the sky blue?', 'io_uring', 'epoll', 'poll', 'default'];

test('every text has its translation, with the same values in it', () => {
  for (const [key, text] of Object.entries(en)) {
    assert.ok(key in de, `de.js has no ${key}`);
    for (const form of forms(de[key])) assert.equal(placeholders(form), placeholders(forms(text).at(-1)), key);
    assert.equal(typeof de[key], typeof text, key);
    if (typeof text === 'object') assert.ok('other' in text && 'other' in de[key], key);
  }
  const further = Object.keys(de).filter((key) => !(key in en));
  assert.deepEqual(further.filter((key) => !key.startsWith('refusal.')), []);
});

/** Each text that a reader of these parts sees or hears. */
const texts = (page) =>
  page.evaluate((parts) => {
    const found = new Set();
    for (const part of document.querySelectorAll(parts)) {
      const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) if (!walker.currentNode.parentElement.closest('code')) found.add(walker.currentNode.data.trim());
      for (const element of [part, ...part.querySelectorAll('*')]) {
        for (const name of ['aria-label', 'title', 'placeholder']) if (element.hasAttribute(name)) found.add(element.getAttribute(name).trim());
      }
    }
    return [...found].filter((text) => /\p{L}{2}/u.test(text));
  }, PARTS);

/** Those that come from nowhere in the file of a language. */
function strange(found, file, session) {
  const known = Object.values(file).flatMap(forms).map((text) => new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^]*')}$`, 'u'));
  const isTime = (text) => /^\d{1,2}[.:]\d{2}( [AP]M)?$/.test(text);
  return found.filter((text) => !OTHERS.includes(text) && !isTime(text) && !text.includes(session) && !/^framewright \d|, default$/.test(text) && !known.some((one) => one.test(text)));
}

/** Leads through the states of these parts, and looks at each. */
async function everyState(visitor, page, look) {
  const [list, menu] = [page.locator('.conversations'), page.locator('#conversation-menu')];
  await look('empty');
  await visitor.ask('hello');
  await page.keyboard.press('Control+k');
  await list.locator('.options').click();
  await list.locator('.actions').waitFor();
  await look('list');
  await list.locator('.actions button').first().click();
  await list.locator('.renaming').waitFor();
  await look('renaming');
  await list.locator('.renaming input').press('Escape');
  await list.locator('.actions .danger').click();
  await list.locator('.undo').click();
  await page.locator('#list-search').fill('nothing like it');
  await list.getByText(/nothing like it/).waitFor();
  await look('nothing found');
  await page.keyboard.press('Escape');
  await list.locator('.row').waitFor();
  await page.keyboard.press('Escape');
  await list.waitFor({ state: 'detached' });
  await page.locator('.conversation-title').click();
  await menu.locator('.actions').first().waitFor();
  await look('menu');
  await page.keyboard.press('Escape');
  await page.locator('.model').click();
  await page.locator('#about-model p').first().waitFor();
  await page.keyboard.press('Escape');
  await page.locator('.you').click();
  await page.locator('#language').waitFor();
  await look('settings');
}

for (const [name, options] of [['desktop', {}], ['phone', phone]]) {
  test(`${name}: a German browser gets a German page, with nothing English in these parts`, () =>
    stage.visit({ locale: 'de-DE', timezoneId: 'Europe/Berlin', ...options }, async (visitor, page) => {
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
      await everyState(visitor, page, async (state) => {
        assert.deepEqual(strange(await texts(page), de, visitor.session), [], state);
        await visitor.picture(`german-${name}-${state.replace(' ', '-')}`);
        await visitor.finds(`German: ${state}`);
      });
    }));
}

test('the language is chosen in the page’s settings, changes at once and is kept', () =>
  stage.visit({ locale: 'de-DE' }, async (visitor, page) => {
    const field = page.locator('#message');
    await becomes(() => field.getAttribute('placeholder'), de['composer.write']);
    await field.fill('hello');
    await page.locator('.you').click();
    const choice = page.locator('#language');
    assert.equal(await choice.inputValue(), 'de');
    await choice.selectOption('English');
    await becomes(() => field.getAttribute('placeholder'), en['composer.write']);
    assert.equal(await field.inputValue(), 'hello', 'what was written stays');
    await page.getByText(en['account.language'], { exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    await visitor.reload();
    await becomes(() => field.getAttribute('placeholder'), en['composer.write']);
    await page.locator('.you').click();
    await page.getByLabel(en['account.language']).selectOption('Deutsch');
    await becomes(() => field.getAttribute('placeholder'), de['composer.write']);
  }));

test('what the server refuses is said in the reader’s language', () => {
  const refusal = { status: 429, headers: { 'retry-after': '3600' }, json: { code: 'budget_used_up', detail: 'you have used your 50 turns for today' } };
  const prepare = (page) => page.route('**/api/send?*', (route) => route.fulfill(refusal));
  const says = (locale, sentence) =>
    stage.visit({ locale, prepare, tolerates: /status of 429/ }, async (visitor, page) => {
      await visitor.say('hello');
      await page.locator('.notice', { hasText: sentence }).waitFor();
    });
  return Promise.all([says('de-DE', de['refusal.budget_used_up']), says('en-US', refusal.json.detail)]);
});
