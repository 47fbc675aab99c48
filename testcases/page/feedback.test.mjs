// Ratings of answers: given, taken back, kept; and a turn that is saved as a test, beside a bad rating and in the panel Trace.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Stage, becomes, dark, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 5 });
before(() => stage.open());
after(() => stage.close());

const pressed = (turn, name) => turn.getByRole('button', { name, exact: true }).getAttribute('aria-pressed');

/** The rating that the server keeps of a turn. */
async function kept(visitor, id) {
  const { turns } = await visitor.read('/api/turns');
  return turns.find((turn) => turn.id === id).rating;
}

/** Presses a button, and gives the texts of the two files that come of it, by their names. */
async function downloads(page, button) {
  const files = new Map();
  const all = new Promise((resolve) => {
    page.on('download', async (download) => {
      files.set(download.suggestedFilename(), await readFile(await download.path(), 'utf8'));
      if (files.size === 2) resolve(files);
    });
  });
  await button.click();
  return all;
}

for (const [name, options] of [['desktop', {}], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: a rating is given, changed and taken back, and is there after a reload`, () =>
    stage.visit(options, async (visitor, page) => {
      const turn = await visitor.ask('why is the sky blue?');
      const second = await visitor.ask('hello');
      await turn.getByRole('button', { name: 'Good answer' }).click();
      await becomes(() => kept(visitor, 'msg_1'), 1);
      assert.equal(await pressed(turn, 'Good answer'), 'true');
      await turn.getByRole('button', { name: 'Bad answer' }).click();
      await becomes(() => kept(visitor, 'msg_1'), -1);
      assert.deepEqual([await pressed(turn, 'Good answer'), await pressed(turn, 'Bad answer')], ['false', 'true']);
      await turn.getByRole('button', { name: 'Save as a test' }).waitFor();
      await visitor.picture(`${name}-feedback`);
      await visitor.finds('feedback');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);

      await visitor.reload();
      await becomes(() => pressed(turn, 'Bad answer'), 'true');
      assert.equal(await pressed(second, 'Bad answer'), 'false');
      await turn.getByRole('button', { name: 'Bad answer' }).click();
      await becomes(() => kept(visitor, 'msg_1'), null);
      await becomes(() => pressed(turn, 'Bad answer'), 'false');
      assert.equal(await turn.getByRole('button', { name: 'Save as a test' }).count(), 0);
    }));
}

test('a rating that can not be kept is not shown as kept, and says why', () =>
  stage.visit({ tolerates: /status of 503/, prepare: (page) => page.route('**/api/feedback*', (route) => route.fulfill({ status: 503, json: { code: 'journal_unavailable', detail: 'the journal fails' } })) }, async (visitor, page) => {
    const turn = await visitor.ask('hello');
    await turn.getByRole('button', { name: 'Good answer' }).click();
    await turn.getByText('The rating was not kept: the journal fails').waitFor();
    assert.equal(await pressed(turn, 'Good answer'), 'false');
  }));

test('a bad answer is one click away from a test, and so is each turn in its trace', () =>
  stage.visit({ acceptDownloads: true }, async (visitor, page) => {
    const turn = await visitor.ask('why is the sky blue?');
    await turn.getByRole('button', { name: 'Bad answer' }).click();
    const files = await downloads(page, turn.getByRole('button', { name: 'Save as a test' }));
    assert.deepEqual([...files.keys()].sort(), ['turn-msg_1.jsonl', 'turn-msg_1.md']);
    assert.match(files.get('turn-msg_1.md'), /\n- send: why is the sky blue\?\n/);
    const { suite, cassette } = await visitor.read('/api/turn/test', { id: 'msg_1' });
    assert.deepEqual([files.get('turn-msg_1.md'), files.get('turn-msg_1.jsonl')], [suite, cassette]);
    await visitor.open('turn/msg_1');
    await page.locator('.trace').getByRole('button', { name: 'Save as a test' }).waitFor();
    await visitor.finds('the trace with a test');
  }));

for (const [name, options] of [['desktop', {}], ['phone', phone]]) {
  test(`${name}: two turns stand side by side, with what differs marked`, () =>
    stage.visit(options, async (visitor, page) => {
      await visitor.ask('give me two buttons, red and blue');
      await visitor.ask('hello');
      await visitor.ask('give me two buttons, red and green');
      await visitor.open('turn/msg_3');
      await page.getByRole('button', { name: 'Compare', exact: true }).click();
      const row = (field) => page.locator(`.columns [data-field=${field}]`);
      // The last one is offered; another is chosen by its id.
      await page.getByRole('combobox', { name: 'Compare with' }).selectOption('msg_1');
      await becomes(() => page.locator('.columns thead th').allInnerTexts(), ['msg_1', 'msg_3']);
      await becomes(() => row('message').locator('mark').allInnerTexts(), ['blue', 'green']);
      assert.equal(await row('path').getAttribute('data-differs'), 'false');
      assert.equal(await row('tools').getAttribute('data-differs'), 'true');
      await visitor.picture(`${name}-compare`);
      await visitor.finds('compare');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await page.getByRole('combobox', { name: 'Compare with' }).selectOption('msg_2');
      await becomes(() => row('path').getAttribute('data-differs'), 'true');
    }));
}
