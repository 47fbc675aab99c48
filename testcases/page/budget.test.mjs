// What is left of a user's day, and what the server says when nothing is.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes, dark, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 5 });
before(() => stage.open());
after(() => stage.close());

const RESETS_AT = Date.UTC(2026, 10, 30, 23, 30);

/** Has the server say what is left; counts how often it is asked. */
function withBudget(budget) {
  const asked = { state: 0 };
  const prepare = (page) =>
    page.route('**/api/state?*', async (route) => {
      asked.state += 1;
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), ...(budget ? { budget: budget(asked.state) } : {}) } });
    });
  return { asked, prepare };
}

for (const [name, options] of [['desktop', {}], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: the page shows what is left, quietly, and reads it again after each turn`, () => {
    const { prepare } = withBudget((time) => ({
      turns: { limit: 50, left: 13 - time },
      tokens: { limit: 100_000, left: 81_234 },
      cost: { limit: 1, left: 0.4177 },
      resets_at: RESETS_AT,
    }));
    return stage.visit({ timezoneId: 'Europe/Berlin', locale: 'de', prepare, ...options }, async (visitor, page) => {
      const line = page.locator('.budget');
      await becomes(() => line.innerText(), 'Übrig bis 00:30: 12 von 50 Anfragen, 81.234 von 100.000 Tokens, Kosten 0,42 von 1,00');
      await visitor.ask('hello');
      await becomes(() => line.innerText(), 'Übrig bis 00:30: 11 von 50 Anfragen, 81.234 von 100.000 Tokens, Kosten 0,42 von 1,00');
      await visitor.picture(`${name}-budget`);
      await visitor.finds('budget');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await page.locator('.you').click();
      await page.locator('#about-you', { hasText: '11 von 50' }).waitFor();
      await visitor.picture(`${name}-budget-sheet`);
      await visitor.finds('budget in the sheet');
    });
  });
}

test('of what is not bounded nothing is shown, and nothing is read again', async () => {
  const none = withBudget();
  await stage.visit({ prepare: none.prepare }, async (visitor, page) => {
    await visitor.ask('hello');
    await page.locator('.you').click();
    await page.locator('#about-you h2').first().waitFor();
    assert.equal(await page.locator('.budget, .shares').count(), 0);
    assert.equal(none.asked.state, 1);
  });
  const turns = withBudget(() => ({ turns: { limit: 3, left: 0 } }));
  await stage.visit({ prepare: turns.prepare }, async (visitor, page) => {
    await becomes(() => page.locator('.budget').innerText(), 'Left today: 0 of 3 turns');
    await becomes(() => page.locator('.budget').getAttribute('data-used-up'), 'true');
    await visitor.picture('budget-used-up');
    await visitor.finds('a budget that is used up');
  });
});

test('a budget that is used up: the page says so and gives the message back', () => {
  const detail = 'you have used your 50 turns for today; they are back at 23:30 UTC';
  const prepare = (page) => page.route('**/api/send?*', (route) => route.fulfill({ status: 429, headers: { 'retry-after': '3600' }, json: { code: 'budget_used_up', detail } }));
  return stage.visit({ prepare, tolerates: /status of 429/ }, async (visitor, page) => {
    await visitor.say('why is the sky blue?');
    await page.locator('.notice', { hasText: detail }).waitFor();
    await becomes(() => page.locator('#message').inputValue(), 'why is the sky blue?');
    assert.equal(await page.locator('.turn').count(), 0);
    await visitor.picture('budget-refused');
  });
});

test('a message that comes too soon waits as long as the server says, and is sent once', () => {
  const detail = 'too many messages in a minute: wait a moment';
  const times = [];
  const prepare = (page) =>
    page.route('**/api/send?*', (route) => {
      times.push(Date.now());
      return times.length === 1 ? route.fulfill({ status: 429, headers: { 'retry-after': '2' }, json: { code: 'rate_limited', detail } }) : route.continue();
    });
  return stage.visit({ prepare, tolerates: /status of 429/ }, async (visitor, page) => {
    await visitor.say('hello');
    await page.locator('.notice', { hasText: detail }).waitFor();
    await visitor.ended(page.locator('.turn'));
    assert.equal(times.length, 2);
    assert.ok(times[1] - times[0] >= 1900, `${times[1] - times[0]} ms`);
    await page.locator('.notice').waitFor({ state: 'detached' });
    await visitor.showsTheHistory();
  });
});
