// A message is seen to be worked on from the first moment: its frames fill while they run, and the node at work has a name.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scripted } from './model.mjs';
import { SLOW, Stage, becomes, dark, phone } from './stage.mjs';

/** Each node answers when the test lets it. */
const gates = new Map();
const held = (node, answer) => () => new Promise((resolve) => gates.set(node, () => resolve(answer)));
/** Waits for a node to be called, and lets it answer. */
async function answers(node) {
  await becomes(async () => gates.has(node), true);
  gates.get(node)();
  gates.delete(node);
}

const perception = { who: 'user', language: 'en', intent: 'question', topic: 'sky', tone: 'neutral', complexity: 'simple', context: '' };
const quick = new Stage({ wordPause: 1 });
const slow = new Stage(SLOW);
const hasty = new Stage({ wordPause: 150, flags: ['--call-ms', '900'] });
let model;
let stage;

before(async () => {
  model = await scripted({
    input: held('input', perception),
    director: held('director', { route: 'thinker', brief: 'Why is the sky blue?' }),
    thinker: held('thinker', 'Because of the air.'),
    output: held('output', 'Because of the air.'),
    memorizer: '{}',
  });
  stage = new Stage({ flags: ['--llm-url', model.url, '--model', 'scripted', '--call-ms', '60000'] });
  await Promise.all([quick, slow, hasty, stage].map((one) => one.open()));
});
after(async () => {
  await Promise.all([quick, slow, hasty, stage].map((one) => one.close()));
  model.close();
});

const strip = (turn) => turn.locator('.working .strip i').evaluateAll((squares) => squares.map(({ className }) => className));

for (const [name, options] of [['desktop', {}], ['phone-dark', { ...phone, ...dark }], ['still', { reducedMotion: 'reduce' }]]) {
  test(`${name}: while a model takes its time, the node at work has its name, each frame its square, and the last one its pulse`, () =>
    stage.visit(options, async (visitor, page) => {
      await visitor.say('why is the sky blue?');
      const turn = page.locator('.turn');
      const at = turn.locator('.now-at');
      await becomes(() => strip(turn), ['call now']);
      await becomes(async () => /^input · \d+\s?s$/.test(await at.innerText()), true, 'after a second it says how long');
      assert.doesNotMatch(await turn.innerText(), /queued/i);
      const pulse = await turn.locator('.strip .now').evaluate((square) => getComputedStyle(square).animationName);
      assert.equal(pulse, name === 'still' ? 'none' : 'now');
      await visitor.picture(`${name}-working`);
      await visitor.finds('a turn that works');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);

      await answers('input');
      await becomes(async () => (await strip(turn)).length, 2);
      assert.deepEqual(await strip(turn), ['call', 'call now']);
      await becomes(async () => (await at.innerText()).split(' · ')[0], 'director');
      await page.keyboard.press('Escape');
      await visitor.ended(turn);
      assert.equal(await turn.locator('.working').count(), 0);
      gates.clear();
    }));
}

test('a message that is still on its way is worked on, too, and not queued', () => {
  let sent;
  const prepare = (page) => page.route('**/api/send*', (route) => new Promise((resolve) => (sent = resolve)).then(() => route.continue()));
  return quick.visit({ prepare }, async (visitor, page) => {
    await visitor.say('hello');
    const turn = page.locator('.turn[data-status=sent]');
    await turn.locator('.working').waitFor();
    assert.equal((await turn.locator('.question').evaluate((question) => getComputedStyle(question).outlineStyle)), 'none');
    assert.doesNotMatch(await turn.innerText(), /queued/i);
    await becomes(async () => typeof sent, 'function');
    sent();
    await visitor.ended(page.locator('.turn'));
  });
});

test('the strip stays beneath an answer that grows, and only what waits behind it is queued', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    const turn = page.locator('.turn').first();
    await turn.locator('.answer').waitFor();
    await becomes(async () => (await strip(turn)).at(-1), 'call now');
    assert.ok((await strip(turn)).length > 2);
    await visitor.say('hello');
    const second = page.locator('.turn').nth(1);
    await second.getByText('queued').waitFor();
    assert.equal(await second.locator('.working').count(), 0);
    assert.doesNotMatch(await turn.locator('.working').innerText(), /queued/);
    await page.keyboard.press('Escape');
    await visitor.ended(second);
    assert.doesNotMatch(await second.innerText(), /queued/);
  }));

test('a turn that failed has its button beside the reason', () =>
  hasty.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    const failed = page.locator('.turn').first().locator('.failed');
    await failed.locator('.failure').waitFor();
    await visitor.finds('a failure');
    await failed.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.turn[data-turn=msg_2]').waitFor();
    assert.equal(await page.locator('.turn').count(), 1);
    await page.keyboard.press('Escape');
  }));
