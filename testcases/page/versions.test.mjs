// An answer that is made again, a message that is edited, and what stood there before, in a real browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SLOW, Stage, becomes, dark, growth, letters, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 5 });
const slow = new Stage(SLOW);
before(() => Promise.all([stage.open(), slow.open()]));
after(() => Promise.all([stage.close(), slow.close()]));

const again = (page) => page.getByRole('button', { name: 'Try again' });
const pencil = (turn) => turn.getByRole('button', { name: 'Edit this message' });
const field = (page) => page.getByRole('textbox', { name: 'Edit this message' });
const versions = (page) => page.getByRole('button', { name: /earlier versions?$/ });

for (const [name, options] of [['desktop', {}], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: the last answer is made again, and the old one can be looked at`, () =>
    stage.visit(options, async (visitor, page) => {
      await visitor.ask('hello');
      await visitor.ask('why is the sky blue?');
      assert.equal(await again(page).count(), 1, 'the last answer alone can be tried again');
      await again(page).focus();
      await page.keyboard.press('Enter');
      await versions(page).waitFor();
      const turn = page.locator('.turn').nth(1);
      await visitor.ended(turn);
      await becomes(() => turn.getAttribute('data-turn'), 'msg_3');
      assert.equal(await page.locator('.turn').count(), 2);
      await visitor.showsTheHistory();
      assert.equal(await versions(page).innerText(), '1 earlier version');
      await versions(page).focus();
      await page.keyboard.press('Enter');
      await page.locator('.version .answer').waitFor();
      const [{ messages }] = (await visitor.history())[2].variants;
      assert.equal(letters(await page.locator('.version .answer').innerText()), letters(messages[1].content));
      await visitor.picture(`${name}-version`);
      await visitor.finds('an earlier version');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await versions(page).click();
      await page.locator('.version').waitFor({ state: 'detached' });
      await visitor.reload();
      await versions(page).waitFor();
      await visitor.showsTheHistory();
    }));

  test(`${name}: a message is edited in its place, and what followed it stays as an earlier version`, () =>
    stage.visit(options, async (visitor, page) => {
      for (const text of ['hello', 'my name is Ada', 'thanks']) await visitor.ask(text);
      await pencil(page.locator('.turn').nth(1)).click();
      await becomes(() => field(page).inputValue(), 'my name is Ada');
      assert.ok(await field(page).evaluate((one) => one === document.activeElement));
      await visitor.picture(`${name}-editor`);
      await visitor.finds('the editor');
      await field(page).fill('my name is Grace');
      await field(page).press('Enter');
      await becomes(() => page.locator('.turn').count(), 2);
      const turn = page.locator('.turn').nth(1);
      await visitor.ended(turn);
      await visitor.showsTheHistory();
      assert.match(await turn.locator('.question').innerText(), /Grace/);
      await versions(page).click();
      const [{ messages }] = (await visitor.history())[2].variants;
      await becomes(() => page.locator('.version > :is(.was-asked, .answer)').allInnerTexts().then((all) => all.map(letters)), messages.map(({ content }) => letters(content)));
      // And once more: the newest version is shown first, and the others lie before it.
      await pencil(turn).click();
      await field(page).fill('my name is Ida');
      await page.getByRole('button', { name: 'Send', exact: true }).first().click();
      await becomes(() => versions(page).innerText(), '2 earlier versions');
      await visitor.ended(page.locator('.turn').nth(1));
      if ((await page.locator('.version').count()) === 0) await versions(page).click();
      for (const [button, place] of [['Previous version', '1 of 2'], ['Next version', '2 of 2']]) {
        const one = page.getByRole('button', { name: button });
        if (await one.isEnabled()) await one.click();
        await page.locator('.versions [role=status]', { hasText: place }).waitFor();
      }
    }));
}

test('Esc leaves a message as it was, gives the focus back, and stops nothing', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('hello');
    const edit = pencil(page.locator('.turn').first());
    await edit.focus();
    await page.keyboard.press('Enter');
    await field(page).fill('something else');
    const stops = [];
    page.on('request', (request) => request.url().includes('/api/stop') && stops.push(request.url()));
    await page.keyboard.press('Escape');
    await becomes(() => edit.evaluate((one) => one === document.activeElement), true);
    await visitor.showsTheHistory();
    assert.deepEqual(stops, []);
    await edit.click();
    await field(page).fill('  ');
    assert.ok(await page.locator('.editor').getByRole('button', { name: 'Send' }).isDisabled(), 'an empty message is no message');
  }));

test('while a turn runs nothing can be tried again or edited, but what waits can be changed or taken back', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    await growth(page, 1);
    assert.equal(await again(page).count(), 0);
    assert.equal(await pencil(page.locator('.turn').first()).count(), 0);
    await visitor.say('one');
    await visitor.say('two');
    const waiting = page.locator('.turn[data-status=waiting]');
    await waiting.nth(1).waitFor();
    await pencil(waiting.first()).click();
    await page.getByRole('button', { name: 'Don’t send' }).click();
    await becomes(() => waiting.count(), 1);
    await pencil(waiting).click();
    await field(page).fill('hello');
    await field(page).press('Enter');
    await becomes(() => waiting.locator('.question').innerText().then(letters), 'hello');
    await page.keyboard.press('Escape');
    await visitor.ended(page.locator('.turn').nth(1));
    assert.deepEqual((await visitor.history()).filter(({ role }) => role === 'user').map(({ content }) => content), ['tell me a long story', 'hello']);
    await again(page).waitFor();
  }));

test('what is refused is said, and the text stays where it was written', () => {
  const detail = 'a turn of this session is running or waiting: wait until it has ended, or stop it';
  const prepare = (page) => page.route('**/api/turn/*', (route) => route.fulfill({ status: 409, json: { code: 'turn_in_progress', detail } }));
  return stage.visit({ prepare, tolerates: /status of 409/ }, async (visitor, page) => {
    await visitor.ask('hello');
    await again(page).click();
    await page.locator('.notice', { hasText: detail }).waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await pencil(page.locator('.turn').first()).click();
    await field(page).fill('something else');
    await field(page).press('Enter');
    await page.locator('.notice', { hasText: detail }).waitFor();
    assert.equal(await field(page).inputValue(), 'something else');
  });
});

test('a turn that another client rolls back can still be read, and what it had replaced returns', () =>
  slow.visit({}, async (visitor, page) => {
    const shown = () => page.locator('.turn').evaluateAll((turns) => turns.map(({ dataset }) => dataset.turn || 'gone'));
    await visitor.ask('hello');
    await visitor.say('tell me a long story');
    await growth(page, 1);
    await visitor.send('/api/send', { text: 'thanks', while_busy: 'rollback' });
    await becomes(shown, ['msg_1', 'gone', 'msg_3']);
    await visitor.ended(page.locator('.turn').nth(2));
    await visitor.showsTheHistory();
    await visitor.send('/api/turn/edit', { id: 'msg_1', message: 'tell me a long story' });
    await growth(page, 1);
    await becomes(shown, ['gone', 'msg_4']);
    await visitor.send('/api/send', { text: 'hi', while_busy: 'rollback' });
    await becomes(async () => (await shown()).filter((id) => id !== 'gone'), ['msg_1', 'msg_3', 'msg_5']);
    await visitor.ended(page.locator('.turn[data-turn=msg_5]'));
    await visitor.showsTheHistory();
  }));
