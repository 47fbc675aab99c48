// A log-in that ends: renewed in silence while a conversation goes on; and where that fails, told before it hurts, with nothing lost.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Proxy } from './proxy.mjs';
import { becomes, growth, phone } from './stage.mjs';
import { SignedStage, eventSockets, identifies } from './signed.mjs';

/** Seconds that a token lives: renewed when two thirds have passed, and long enough for a busy machine to see to it. */
const TTL = 30;
/** Where it is to end: 20 s pass between what the page says before the end, and the end. */
const ENDING_TTL = 60;
const STORY = 'tell me a long story';

/** A word a quarter of a second: a story lasts as long as half of a token's life. */
const stage = new SignedStage({}, { wordPause: 250 });
before(() => stage.open());
after(() => stage.close());

/** Has a page in a time when the issuer behaves so. */
async function scene(changes, options, play) {
  const { issuer } = stage;
  const usual = { ttl: 3600, refreshes: false, mode: 'good', isStrict: false, shownKeys: undefined };
  Object.assign(issuer, usual, changes, { seen: [] });
  try {
    await stage.visit(options, (user, page) => play(user, page, issuer));
  } finally {
    Object.assign(issuer, usual);
  }
}

/** Talks until something has happened. Gives what was asked. @param {() => boolean} isDone */
async function talksUntil(user, isDone) {
  const asked = [];
  while (!isDone()) {
    assert.ok(asked.length < 8, 'it happens while they talk');
    await user.visitor.ask(STORY);
    asked.push(STORY);
  }
  return asked;
}

/** Leaves the page, and makes it find a log-in that has ended when it is opened again. */
async function ends(page) {
  await page.evaluate(() => {
    const kept = JSON.parse(sessionStorage.getItem('framewright:log-in'));
    sessionStorage.setItem('framewright:log-in', JSON.stringify({ ...kept, endsAt: 1 }));
  });
  await page.goto('about:blank');
}

for (const [how, refreshes, sign] of [
  ['a refresh token, which is rotated', true, 'token'],
  ['a hidden frame', false, 'authorize none'],
]) {
  test(`renewed by ${how}, in the middle of a conversation, over the same socket`, () => {
    let sockets;
    const prepare = (page) => void (sockets = eventSockets(page));
    return scene({ ttl: TTL, refreshes }, { prepare }, async (user, page, issuer) => {
      await user.logIn('ada');
      const first = await user.kept();
      const seen = issuer.seen.length;
      const isRenewed = () => issuer.seen.slice(seen).includes(sign) && sockets.at(-1).sent.length > 0;
      const asked = await talksUntil(user, isRenewed);
      const second = await user.kept();
      assert.notEqual(second.access, first.access);
      assert.equal(second.refresh !== first.refresh && second.refresh !== '', refreshes);
      assert.deepEqual(sockets.at(-1).sent[0], { type: 'auth', token: second.access });
      assert.equal(sockets.length, 1, 'the socket stays');
      assert.equal(issuer.seen.includes('authorize none'), !refreshes);
      // And once more, with what the renewal gave, beyond the end of the first.
      await talksUntil(user, () => sockets.at(-1).sent.length > 1).then((more) => asked.push(...more));
      assert.equal(sockets.length, 1);
      await user.seesQuestions(asked);
      assert.deepEqual(await user.questions(), asked);
      assert.equal(await page.locator('.notice').count(), 0);
      assert.equal(await page.locator('iframe').count(), 0);
    });
  });
}

test('the issuer replaces its keys in the middle of a conversation', () =>
  scene({ ttl: TTL, refreshes: true }, { tolerates: /status of 401/ }, async (user, page, issuer) => {
    await user.logIn('ada');
    const { access } = await user.kept();
    await user.visitor.say(STORY);
    await growth(page, 1);
    issuer.rotate({ keep: false, algorithm: 'ES256' });
    await user.visitor.ended(page.locator('.turn'));
    const asked = [STORY, ...(await talksUntil(user, () => issuer.seen.filter((what) => what === 'token').length > 1))];
    await becomes(async () => (await user.kept()).access !== access, true);
    const { access: after } = await user.kept();
    assert.equal(JSON.parse(Buffer.from(after.split('.')[0], 'base64url')).alg, 'ES256');
    await user.visitor.ask('hello');
    asked.push('hello');
    await user.seesQuestions(asked);
    assert.deepEqual(await user.questions(), asked);
    await becomes(() => page.locator('.notice').count(), 0);
    issuer.rotate({ keep: false, algorithm: 'RS256' });
  }));

test('a server that refuses what a refresh gave does not make the page ask for ever', () =>
  scene({ refreshes: true }, { tolerates: /status of 401|WebSocket/ }, async (user, page, issuer) => {
    let refusals = 0;
    page.on('response', (response) => (refusals += Number(response.status() === 401)));
    await user.logIn('ada');
    await user.visitor.ask('hello');
    // From now on it signs with a key that it does not show.
    issuer.shownKeys = await (await fetch(`${issuer.url}/oauth/v2/keys`)).text();
    issuer.rotate({ keep: false });
    const seen = issuer.seen.length;
    await ends(page);
    await page.goto(user.visitor.url());
    await user.reads('The server refuses this log-in');
    await becomes(() => refusals > 10, true, 'the page goes on trying');
    assert.deepEqual(issuer.seen.slice(seen), ['token'], 'with the token that it has');
    issuer.shownKeys = undefined;
    await user.isIn();
    await user.seesQuestions(['hello']);
    assert.deepEqual(issuer.seen.slice(seen), ['token']);
  }));

for (const [name, options] of [['desktop', {}], ['phone', phone]]) {
  test(`${name}: a renewal that fails is told before the end, and logging in again loses nothing and needs no popup`, () => {
    const prepare = (page) => page.addInitScript(() => (window.open = () => null));
    return scene({ ttl: ENDING_TTL }, { ...options, prepare, tolerates: /status of 40/ }, async (user, page) => {
      let popups = 0;
      page.context().on('page', () => (popups += 1));
      await user.logIn('ada');
      await page.context().clearCookies();
      await user.visitor.say(STORY);
      await growth(page, 1);
      await page.locator('#message').fill('half a sent');
      await page.locator('.notice', { hasText: /Your log-in ends at \d.*The issuer wants you to log in again/ }).waitFor();
      assert.ok(Date.now() < (await user.kept()).endsAt, 'before it ends');
      await user.visitor.picture(`${name}-log-in-ends`);
      await user.visitor.finds('a log-in that ends');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await page.locator('.notice', { hasText: 'Your log-in has ended.' }).waitFor();
      await page.locator('.connection[data-state=lost]').waitFor();
      await user.visitor.picture(`${name}-log-in-ended`);
      await page.locator('#message').press('Enter');
      await page.locator('.turn[data-status=unsent]', { hasText: 'half a sent' }).waitFor();
      await page.locator('#message').fill('and more');
      stage.issuer.ttl = 3600;
      await page.getByRole('button', { name: 'Log in again' }).click();
      await user.identifies('ada');
      await user.isIn();
      assert.equal(page.url(), user.visitor.url());
      assert.equal(popups, 0);
      assert.equal(await page.locator('#message').inputValue(), 'and more');
      await user.visitor.ended(page.locator('.turn').nth(1));
      await user.seesQuestions([STORY, 'half a sent']);
      assert.deepEqual(await user.questions(), [STORY, 'half a sent']);
      assert.equal(await page.locator('.notice').count(), 0);
    });
  });
}

test('who is somebody else at the issuer by now is not taken for the one who talks', () =>
  scene({ ttl: ENDING_TTL }, { tolerates: /status of 40/ }, async (user, page, issuer) => {
    await user.logIn('ada');
    await user.visitor.ask('hello');
    await page.context().clearCookies();
    issuer.ttl = 3600;
    const other = await page.context().newPage();
    await other.goto(`${stage.address}/?session=other`);
    await other.getByRole('button', { name: 'Log in', exact: true }).click();
    await identifies(other, 'eve');
    await other.locator('.you').waitFor();
    await page.locator('.notice', { hasText: 'Somebody else is logged in at the issuer now.' }).waitFor();
    assert.equal(await user.name(), 'Ada Lovelace');
    await user.seesQuestions(['hello']);
  }));

test('who turns back at the issuer is still in, for as long as they were', () =>
  scene({ ttl: ENDING_TTL }, { tolerates: /status of 40/ }, async (user, page) => {
    await user.logIn('ada');
    await user.visitor.ask('hello');
    await page.context().clearCookies();
    await page.getByRole('button', { name: 'Log in again' }).click();
    await page.getByText('[ Cancel ]').click();
    await user.isIn();
    await page.locator('.notice', { hasText: /Your log-in ends at .* The log-in was refused/ }).waitFor();
    await user.seesQuestions(['hello']);
  }));

test('who has logged in again in another tab is in again here, too', () =>
  scene({ ttl: ENDING_TTL }, { tolerates: /status of 40/ }, async (user, page, issuer) => {
    await user.logIn('ada');
    await page.context().clearCookies();
    await page.locator('.notice', { hasText: 'Your log-in ends at' }).waitFor();
    issuer.ttl = 3600;
    const other = await page.context().newPage();
    await other.goto(user.visitor.url());
    await other.getByRole('button', { name: 'Log in', exact: true }).click();
    await identifies(other, 'ada');
    await other.locator('.you').waitFor();
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await page.locator('.notice').waitFor({ state: 'detached' });
    await user.visitor.connected();
    await user.visitor.ask('hello');
    assert.deepEqual(await user.questions(), ['hello']);
  }));

test('an issuer that is away past the end: sockets close, what is written waits, and goes out once when it is back', () =>
  scene({ ttl: ENDING_TTL, refreshes: true }, { tolerates: /status of 401|net::ERR|Failed to load/ }, async (user, page, issuer) => {
    const sockets = eventSockets(page);
    await user.logIn('ada');
    await user.visitor.ask('hello');
    issuer.mode = 'away';
    await page.locator('.notice', { hasText: 'can’t be reached' }).waitFor();
    await page.locator('.notice', { hasText: 'Your log-in has ended.' }).waitFor();
    await becomes(() => sockets.every(({ isClosed }) => isClosed), true, 'the server closes what has ended');
    await user.visitor.say('are you there?');
    await page.locator('.turn[data-status=unsent]').waitFor();
    issuer.ttl = 3600;
    issuer.mode = 'good';
    await user.visitor.ended(page.locator('.turn').nth(1));
    await page.locator('.notice').waitFor({ state: 'detached' });
    await user.seesQuestions(['hello', 'are you there?']);
    assert.deepEqual(await user.questions(), ['hello', 'are you there?']);
  }));

test('where no socket passes, event streams end with their token, and go on with the next one', async () => {
  const proxy = new Proxy(stage.address, false);
  await proxy.open();
  stage.issuer.allow(proxy.address);
  try {
    await scene({ ttl: TTL, refreshes: true }, { through: proxy.address, tolerates: /WebSocket|Failed to load/ }, async (user, page, issuer) => {
      await user.logIn('ada');
      await user.visitor.connectedBy('stream');
      const asked = await talksUntil(user, () => issuer.seen.filter((what) => what === 'token').length > 2);
      await user.visitor.connectedBy('stream');
      await user.seesQuestions(asked);
      assert.deepEqual(await user.questions(), asked);
      assert.equal(await page.locator('.notice').count(), 0);
    });
  } finally {
    await proxy.close();
  }
});

test('a tab that was duplicated does not use up the refresh token of the first', () =>
  scene({ ttl: TTL, refreshes: true }, {}, async (user, page, issuer) => {
    await user.logIn('ada');
    const kept = await page.evaluate(() => sessionStorage.getItem('framewright:log-in'));
    const other = await page.context().newPage();
    await other.addInitScript((text) => sessionStorage.getItem('framewright:log-in') ?? sessionStorage.setItem('framewright:log-in', text), kept);
    await other.goto(user.visitor.url());
    await other.locator('.you').waitFor();
    const families = async () => {
      const all = await Promise.all([page, other].map((one) => one.evaluate(() => JSON.parse(sessionStorage.getItem('framewright:log-in')))));
      return all.map(({ startedAt, refresh }) => `${startedAt > JSON.parse(kept).startedAt} ${refresh !== ''}`);
    };
    await becomes(families, ['true true', 'true true'], 'both are renewed');
    assert.ok(issuer.seen.includes('authorize none'), 'one of them by itself');
    const before = await page.evaluate(() => JSON.parse(sessionStorage.getItem('framewright:log-in')).startedAt);
    await becomes(() => page.evaluate((at) => JSON.parse(sessionStorage.getItem('framewright:log-in')).startedAt > at, before), true, 'and again');
    for (const one of [page, other]) assert.equal(await one.locator('.notice').count(), 0);
  }));

test('a reload after the end renews before anything is shown', () =>
  scene({ refreshes: true }, { tolerates: /status of 40/ }, async (user, page, issuer) => {
    await user.logIn('ada');
    await user.visitor.ask('hello');
    await ends(page);
    const seen = issuer.seen.length;
    await page.goto(user.visitor.url());
    await user.isIn();
    await user.seesQuestions(['hello']);
    assert.deepEqual(issuer.seen.slice(seen), ['token']);
    // What the issuer has taken back, the user still known there gets anew.
    issuer.isStrict = true;
    await ends(page);
    const next = page.goto(user.visitor.url());
    await becomes(() => issuer.seen.slice(seen).includes('authorize none'), true);
    issuer.isStrict = false;
    await next;
    await user.isIn();
  }));
