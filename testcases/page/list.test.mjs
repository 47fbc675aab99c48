// The list of conversations: what it lists, how it is used, what happens to what is written and deleted, and who can open what.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { SignedStage } from './signed.mjs';
import { SLOW, Stage, becomes, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 5 });
const slow = new Stage(SLOW);
const forgetful = new Stage({ wordPause: 5, flags: ['--durability', 'none'] });
const signed = new SignedStage({ refreshes: true }, { wordPause: 5 });
const all = [stage, slow, forgetful, signed];
before(() => Promise.all(all.map((one) => one.open())));
after(() => Promise.all(all.map((one) => one.close())));

const source = await readFile(new URL('../../static/days.js', import.meta.url), 'utf8');
const { grouped } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const sessionOf = (page) => new URL(page.url()).searchParams.get('session');
const titles = (page) => page.locator('.conversations .row-title').allInnerTexts();
const questions = (page) => page.locator('.question').evaluateAll((all) => all.map(({ lastChild }) => lastChild.textContent));
const row = (page, title) => page.locator('.conversations li', { hasText: title });
const focused = (page) => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);

/** Opens another conversation by its name, as a bookmark does. */
async function goesTo(visitor, page, session) {
  visitor.session = session;
  await page.goto(visitor.url());
  await visitor.connected();
}

/** The page has gone on to another conversation. */
async function isIn(visitor, page, session) {
  await page.waitForURL((url) => url.searchParams.get('session') === session);
  await visitor.connected();
}

/** Two conversations of this browser, the list open; the second is shown. */
async function withTwo(visitor, page, [one, other] = ['hello', 'why is the sky blue?']) {
  const first = visitor.session;
  await visitor.ask(one);
  await goesTo(visitor, page, `${first}-b`);
  await visitor.ask(other);
  await page.keyboard.press('Control+k');
  await becomes(() => titles(page), [other, one]);
  return [first, visitor.session];
}

/** Chooses one of the actions of a conversation in the list. */
async function acts(page, title, action) {
  const item = row(page, title);
  if ((await item.locator('.actions').count()) === 0) await item.locator('.options').click();
  await item.getByRole('button', { name: action }).click();
}

test('conversations are grouped by the days of the reader’s clock, and keep their order', () => {
  const now = new Date(2026, 2, 29, 12, 0).getTime();
  const at = (...when) => ({ used_at: new Date(...when).getTime() });
  const rows = [at(2026, 2, 29, 13, 0), at(2026, 2, 29, 0, 0), at(2026, 2, 28, 23, 59, 59), at(2026, 2, 28, 0, 0), at(2026, 2, 27, 23, 59), at(2024, 0, 1)];
  assert.deepEqual(grouped(rows, now), [
    { day: 'today', rows: rows.slice(0, 2) },
    { day: 'yesterday', rows: rows.slice(2, 4) },
    { day: 'older', rows: rows.slice(4) },
  ]);
  assert.deepEqual(grouped([], now), []);
});

test('a new conversation keeps the old one, and the list leads back to it', () =>
  stage.visit({}, async (visitor, page) => {
    const first = visitor.session;
    await visitor.ask('hello');
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.locator('.invitation').waitFor();
    assert.notEqual(sessionOf(page), first);
    await visitor.connected();
    await page.getByRole('button', { name: 'Conversations' }).click();
    await becomes(() => titles(page), ['hello']);
    await visitor.ask('why is the sky blue?');
    await becomes(() => titles(page), ['why is the sky blue?', 'hello']);
    await page.locator('h3', { hasText: 'Today' }).waitFor();
    await page.locator('.conversations [aria-current=page]', { hasText: 'why is' }).waitFor();
    await row(page, 'hello').locator('a').click();
    await isIn(visitor, page, first);
    await becomes(() => questions(page), ['hello']);
    await page.locator('.conversations [aria-current=page]', { hasText: 'hello' }).waitFor();
    await becomes(() => page.title(), 'hello · framewright');
  }));

for (const [name, options] of [['desktop', {}], ['phone', phone]]) {
  test(`${name}: Ctrl+K searches, arrows move, Enter opens and Esc closes`, () =>
    stage.visit(options, async (visitor, page) => {
      const [first, second] = await withTwo(visitor, page);
      await becomes(() => focused(page), 'list-search');
      await visitor.picture(`${name}-list`);
      await visitor.finds('list');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      for (const [key, expected] of [['ArrowDown', 'why'], ['ArrowDown', 'hello'], ['ArrowDown', 'hello'], ['ArrowUp', 'why'], ['ArrowUp', 'list-search']]) {
        await page.keyboard.press(key);
        assert.ok((await focused(page)).startsWith(expected), `${key} leads to ${expected}`);
      }
      // What was typed last is what Enter goes by, whether it has been found or not.
      await page.keyboard.type('hel');
      await page.keyboard.press('Enter');
      await isIn(visitor, page, first);
      await becomes(() => questions(page), ['hello']);

      await page.locator('#message').focus();
      await page.keyboard.press('Control+k');
      await becomes(() => focused(page), 'list-search');
      await page.keyboard.type('nothing like it');
      await page.locator('.conversations', { hasText: 'Nothing found for “nothing like it”.' }).waitFor();
      await page.keyboard.press('Escape');
      await becomes(async () => (await titles(page)).sort(), ['hello', 'why is the sky blue?']);
      await page.keyboard.press('Escape');
      await page.locator('.conversations').waitFor({ state: 'detached' });
      await becomes(() => focused(page), 'message');
      await page.keyboard.press('Control+k');
      await row(page, 'why').locator('a').press('Enter');
      await isIn(visitor, page, second);
    }));
}

test('Esc in the list stops no answer', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    const running = page.locator('.turn[data-status=running]');
    await running.waitFor();
    await page.keyboard.press('Control+k');
    await becomes(() => focused(page), 'list-search');
    await page.keyboard.press('Escape');
    await page.locator('.conversations').waitFor({ state: 'detached' });
    assert.equal(await running.count(), 1);
    await page.keyboard.press('Escape');
    await page.locator('.turn[data-status=stopped]').waitFor();
  }));

test('beside the chat the list stays open until it is closed; as a sheet it does not', async () => {
  await stage.visit({}, async (visitor, page) => {
    const toggle = page.getByRole('button', { name: 'Conversations' });
    await toggle.click();
    await page.locator('nav.conversations').waitFor();
    await visitor.reload();
    await page.locator('nav.conversations').waitFor();
    assert.equal(await focused(page), 'message', 'who comes back writes');
    await page.getByRole('button', { name: 'Close the list' }).click();
    await becomes(() => focused(page), 'message');
    await visitor.reload();
    await toggle.and(page.locator('[aria-expanded=false]')).waitFor();
    assert.equal(await page.locator('.conversations').count(), 0);
    // With the cockpit open there is no room for both.
    await toggle.click();
    await visitor.open('state');
    await page.locator('.conversations').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+k');
    await page.locator('dialog.conversations').waitFor();
    await visitor.finds('list above the cockpit');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Close the cockpit' }).click();
    await page.locator('nav.conversations').waitFor();
    assert.notEqual(await focused(page), 'list-search', 'nobody called for it');
  });
  await stage.visit(phone, async (visitor, page) => {
    await page.getByRole('button', { name: 'Conversations' }).click();
    await page.locator('dialog.conversations').waitFor();
    await visitor.reload();
    await page.locator('#list-toggle').waitFor();
    assert.equal(await page.locator('.conversations').count(), 0);
  });
});

test('where nobody signs in, a browser lists only where it has been, and the server lists what it names', () =>
  stage.visit({}, (one, page) =>
    stage.visit({}, async (other, second) => {
      const mine = await withTwo(one, page);
      await other.ask('hello');
      await second.keyboard.press('Control+k');
      await becomes(() => titles(second), ['hello']);
      const visited = await page.evaluate(() => JSON.parse(localStorage.getItem('framewright:visited')));
      assert.deepEqual(visited, mine.toReversed());
      // However many there have been, the latest 200 are kept.
      await page.evaluate((names) => localStorage.setItem('framewright:visited', JSON.stringify([...names, 'not a name', 7, ...Array.from({ length: 300 }, (_, at) => `s${at}`)])), visited);
      await one.reload();
      await becomes(() => page.evaluate(() => JSON.parse(localStorage.getItem('framewright:visited')).length), 200);
      await becomes(() => titles(page), ['why is the sky blue?', 'hello']);
    })));

test('a conversation is renamed in the list and in its menu; an empty title is the first question', () =>
  stage.visit({}, async (visitor, page) => {
    await withTwo(visitor, page);
    await acts(page, 'why is', 'Rename');
    const field = page.getByRole('textbox', { name: 'Title' });
    await field.press('Escape');
    await becomes(() => titles(page), ['why is the sky blue?', 'hello']);
    await acts(page, 'why is', 'Rename');
    await visitor.finds('renaming');
    await field.fill('  Sky <b>&amp; light  ');
    await field.press('Enter');
    await becomes(() => titles(page), ['Sky <b>&amp; light', 'hello']);
    assert.match(await focused(page), /^Sky/, 'the focus is on the row');
    await page.locator('.conversation-title', { hasText: 'Sky <b>&amp; light' }).waitFor();
    await visitor.reload();
    await page.locator('.conversation-title', { hasText: 'Sky <b>&amp; light' }).waitFor();

    await page.locator('.conversation-title').click();
    await visitor.picture('conversation-menu');
    await visitor.finds('menu of the conversation');
    await page.locator('#conversation-menu').getByRole('button', { name: 'Rename' }).click();
    await field.fill('');
    await field.press('Enter');
    await page.locator('#conversation-menu h2', { hasText: 'why is the sky blue?' }).waitFor();
    await becomes(() => focused(page), 'Rename');
    await page.locator('#conversation-menu').getByRole('button', { name: 'Delete' }).click();
    await becomes(() => focused(page), 'Undo');
    await page.keyboard.press('Enter');
    await becomes(() => focused(page), 'Rename');
    await page.keyboard.press('Escape');
    await becomes(() => titles(page), ['why is the sky blue?', 'hello']);
  }));

test('a deletion can be undone, and is done only when its time is over; another page of the tab goes on with it', () =>
  stage.visit({}, async (visitor, page) => {
    const deletes = [];
    page.on('request', (request) => request.url().includes('/delete') && deletes.push(request.url()));
    const [first, second] = await withTwo(visitor, page);
    await acts(page, 'hello', 'Delete');
    const undo = row(page, 'hello').getByRole('button', { name: 'Undo' });
    await becomes(() => page.evaluate(() => document.activeElement?.textContent), 'Undo');
    await visitor.picture('list-deleted');
    await visitor.finds('a deleted conversation');
    await undo.click();
    await becomes(() => titles(page), ['why is the sky blue?', 'hello']);
    assert.match(await focused(page), /^hello/);

    await acts(page, 'hello', 'Delete');
    await undo.waitFor();
    await visitor.reload();
    await undo.waitFor();
    assert.deepEqual(deletes, []);
    await becomes(() => titles(page), ['why is the sky blue?']);
    await row(page, 'hello').waitFor({ state: 'detached' });
    assert.equal(deletes.length, 1);
    assert.equal(new URL(deletes[0]).searchParams.get('session'), first);
    assert.deepEqual(await page.evaluate(() => JSON.parse(localStorage.getItem('framewright:visited'))), [second]);
    visitor.session = first;
    assert.deepEqual(await visitor.history(), []);
    visitor.session = second;
    assert.equal((await visitor.history()).length, 2);
  }));

test('a tab that is closed before deletes nothing', () =>
  stage.visit({}, async (visitor, page) => {
    await withTwo(visitor, page);
    await acts(page, 'hello', 'Delete');
    await row(page, 'hello').getByRole('button', { name: 'Undo' }).waitFor();
    const other = await page.context().newPage();
    await page.close();
    await other.goto(visitor.url());
    await becomes(() => titles(other), ['why is the sky blue?', 'hello']);
    assert.equal(await other.locator('.undo').count(), 0);
  }));

test('what somebody writes in is not deleted; else the page goes on with a new conversation where the one it shows is', () =>
  stage.visit({}, async (visitor, page) => {
    const [first, second] = await withTwo(visitor, page);
    // In one that is not shown somebody may write as well.
    await acts(page, 'hello', 'Delete');
    await page.locator('.undo').waitFor();
    visitor.session = first;
    await visitor.send('/api/send', { text: 'hello' });
    visitor.session = second;
    await page.locator('.notice', { hasText: '“hello” has new messages, so it was not deleted.' }).waitFor();
    await page.locator('.undo').waitFor({ state: 'detached' });

    await acts(page, 'why is', 'Delete');
    await page.locator('.undo').waitFor();
    await visitor.ask('hello again');
    await page.locator('.undo').waitFor({ state: 'detached' });
    // Written in by others, it stays as well.
    await acts(page, 'why is', 'Delete');
    await page.locator('.undo').waitFor();
    await visitor.send('/api/send', { text: 'hello from elsewhere' });
    await visitor.ended(page.locator('.turn').nth(2));
    await page.locator('.undo').waitFor({ state: 'detached' });
    await becomes(() => questions(page), ['why is the sky blue?', 'hello again', 'hello from elsewhere']);

    await acts(page, 'why is', 'Delete');
    await page.locator('.invitation').waitFor();
    assert.notEqual(sessionOf(page), second);
    await becomes(() => titles(page), ['hello']);
  }));

test('each conversation keeps its draft and where it was read', () =>
  stage.visit({ viewport: { width: 1000, height: 420 } }, async (visitor, page) => {
    const first = visitor.session;
    for (const text of ['why is the sky blue?', 'show me a table', 'hello', 'why is the sky blue?']) await visitor.ask(text);
    await page.locator('#message').fill('a draft here');
    const scroller = page.locator('.scroller');
    await scroller.hover();
    await page.mouse.wheel(0, -10_000);
    await becomes(() => scroller.evaluate((element) => element.scrollTop), 0);
    await page.mouse.wheel(0, 150);
    await becomes(() => scroller.evaluate((element) => element.scrollTop), 150);
    await goesTo(visitor, page, `${first}-b`);
    assert.equal(await page.locator('#message').inputValue(), '');
    await visitor.ask('hello');
    await page.locator('#message').fill('another there');
    await page.keyboard.press('Control+k');
    await row(page, 'why is').locator('a').click();
    await isIn(visitor, page, first);
    await becomes(() => page.locator('#message').inputValue(), 'a draft here');
    await becomes(() => scroller.evaluate((element) => Math.abs(element.scrollTop - 150) < 3), true);
    await page.getByRole('button', { name: 'Jump to latest' }).waitFor();
    await row(page, 'hello').locator('a').click();
    await isIn(visitor, page, `${first}-b`);
    await becomes(() => page.locator('#message').inputValue(), 'another there');
  }));

test('what waits in one conversation is sent to that one, while another is shown', () =>
  slow.visit({}, async (visitor, page) => {
    const first = visitor.session;
    await visitor.say('tell me a long story');
    await page.locator('.turn[data-status=running] .answer').waitFor();
    await visitor.say('hello');
    await page.locator('.turn[data-status=waiting]', { hasText: 'hello' }).waitFor();
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.locator('.invitation').waitFor();
    await visitor.connected();
    const second = sessionOf(page);
    visitor.session = first;
    const asked = async () => (await visitor.history()).filter(({ role }) => role === 'user').map(({ content }) => content);
    const isSent = (name) => page.evaluate((name) => JSON.parse(sessionStorage.getItem(`framewright:pending:${name}`))[0].isSent, name);
    await becomes(() => isSent(first), true);
    assert.deepEqual(await asked(), ['tell me a long story'], 'it waits there');
    // Back before it has begun, it is still shown waiting.
    await goesTo(visitor, page, first);
    await becomes(() => questions(page), ['tell me a long story', 'hello']);
    await goesTo(visitor, page, second);
    visitor.session = first;
    await visitor.send('/api/stop', {});
    await becomes(asked, ['tell me a long story', 'hello']);
    await goesTo(visitor, page, first);
    await becomes(() => questions(page), ['tell me a long story', 'hello']);
    await becomes(() => page.evaluate(() => Object.keys(sessionStorage).filter((name) => name.includes('pending'))), []);
    visitor.session = second;
    assert.deepEqual(await visitor.history(), []);
  }));

test('what could not be sent is counted in the list, and sent once on the way back', () =>
  stage.visit({ tolerates: /Failed to load resource/ }, async (visitor, page) => {
    const [first, second] = await withTwo(visitor, page);
    await page.route('**/api/send?*', (route) => route.fulfill({ status: 503, json: { code: 'draining', detail: 'restarting' } }));
    await visitor.say('hello again');
    await page.locator('.turn', { hasText: 'hello again' }).and(page.locator('[data-status=unsent]')).waitFor();
    await row(page, /^hello/).locator('a').click();
    await isIn(visitor, page, first);
    await row(page, 'why is').getByText('1 message not sent').waitFor();
    await page.unroute('**/api/send?*');
    await row(page, 'why is').locator('a').click();
    await visitor.ended(page.locator('.turn', { hasText: 'hello again' }));
    visitor.session = second;
    await visitor.showsTheHistory();
    assert.equal((await visitor.history()).length, 4);
  }));

test('a conversation is saved as Markdown and as JSON, and its link copied', () =>
  stage.visit({ permissions: ['clipboard-read', 'clipboard-write'] }, async (visitor, page) => {
    const [first, second] = await withTwo(visitor, page);
    for (const [action, ending, says] of [['Save as Markdown', 'md', '# hello'], ['Save as JSON', 'json', '"hello"']]) {
      const [download] = await Promise.all([page.waitForEvent('download'), acts(page, 'hello', action)]);
      assert.equal(download.suggestedFilename(), `${first}.${ending}`);
      assert.ok((await readFile(await download.path(), 'utf8')).includes(says), ending);
    }
    await acts(page, 'hello', 'Copy link');
    await row(page, 'hello').getByText('Copied').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${stage.address}/?session=${first}`);
    await page.locator('.conversation-title').click();
    const menu = page.locator('#conversation-menu');
    await menu.getByText('Anyone who has the link can open this conversation').waitFor();
    await menu.getByRole('button', { name: 'Copy link' }).click();
    await menu.getByText('Copied').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${stage.address}/?session=${second}`);
  }));

test('the top bar names the graph, also after a switch', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('hello');
    await page.locator('.conversation-title', { hasText: 'v3-framed' }).waitFor();
    await visitor.send('/api/graph/switch', { name: 'v1-direct', keep: true });
    await page.locator('.conversation-title', { hasText: 'v1-direct' }).waitFor();
    await visitor.reload();
    await page.locator('.conversation-title', { hasText: 'v1-direct' }).waitFor();
  }));

test('a server that keeps nothing says so, and conversations can still be had', () =>
  forgetful.visit({ tolerates: /status of 404/ }, async (visitor, page) => {
    await visitor.ask('hello');
    await page.keyboard.press('Control+k');
    await page.locator('.conversations', { hasText: 'This server doesn’t keep conversations' }).waitFor();
    await visitor.picture('list-not-kept');
    await visitor.finds('a server without a journal');
    await page.locator('.conversation-title', { hasText: 'hello' }).click();
    await page.locator('#conversation-menu').getByRole('button', { name: 'Copy link' }).waitFor();
    assert.equal(await page.locator('#conversation-menu').getByRole('button', { name: 'Delete' }).count(), 0);
    await page.keyboard.press('Escape');
    await page.locator('.conversations').getByRole('button', { name: 'New conversation' }).click();
    await page.locator('.invitation').waitFor();
  }));

test('a long list comes in pages, and a list that cannot be read says why', () => {
  const now = Date.now();
  const rows = (from, count) => Array.from({ length: count }, (_, at) => ({ id: `s${from + at}`, title: `Number ${from + at}`, created_at: now, used_at: now - (from + at) * 3_600_000, turns: 1, graph: 'v3-framed' }));
  let isBroken = false;
  const prepare = (page) =>
    page.route('**/api/sessions?*', (route) => {
      if (isBroken) return route.fulfill({ status: 503, json: { code: 'journal_unavailable', detail: 'the journal is away' } });
      const query = new URL(route.request().url()).searchParams;
      const limit = Number(query.get('limit'));
      return route.fulfill({ json: query.has('before') ? { sessions: rows(50, 50), next: null } : { sessions: rows(0, limit), next: limit < 100 ? 'page-2' : null } });
    });
  return stage.visit({ prepare, tolerates: /status of 503/ }, async (visitor, page) => {
    await page.keyboard.press('Control+k');
    await becomes(() => page.locator('.row').count(), 50);
    await page.locator('h3', { hasText: 'Older' }).waitFor();
    await page.getByRole('button', { name: 'Show more' }).click();
    await becomes(() => page.locator('.row').count(), 100);
    await becomes(async () => (await focused(page)).startsWith('Number 50'), true, 'the focus goes on with the list');
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
    // Reading it again loses no page.
    await visitor.ask('hello');
    await becomes(() => page.locator('.row').count(), 100);
    isBroken = true;
    await page.locator('#list-search').fill('number');
    await page.locator('.conversations [role=alert]', { hasText: 'the journal is away' }).waitFor();
    await visitor.finds('a list that failed');
    isBroken = false;
    await page.locator('.conversations').getByRole('button', { name: 'Try again' }).click();
    await becomes(() => page.locator('.row').count(), 50);
  });
});

test('a user who logs in has their own list, on which the conversation without a name has its place', () =>
  signed.visit({}, (ada, page) =>
    signed.visit({}, async (eve, second) => {
      await ada.logIn('ada');
      const named = ada.visitor.session;
      await ada.visitor.ask('hello');
      await page.goto(signed.address);
      await ada.isIn();
      await ada.visitor.ask('why is the sky blue?');
      await page.keyboard.press('Control+k');
      await becomes(() => titles(page), ['why is the sky blue?', 'hello']);
      const [download] = await Promise.all([page.waitForEvent('download'), acts(page, 'hello', 'Save as Markdown')]);
      assert.ok((await readFile(await download.path(), 'utf8')).includes('# hello'));
      await row(page, 'hello').locator('a').click();
      await isIn(ada.visitor, page, named);
      await becomes(() => questions(page), ['hello']);
      await page.locator('.conversation-title').click();
      await page.locator('#conversation-menu', { hasText: 'Only you can open the link' }).waitFor();
      await page.keyboard.press('Escape');
      await row(page, 'why is').locator('a').click();
      await page.waitForURL((url) => !url.searchParams.has('session'));
      await ada.isIn();
      await becomes(() => questions(page), ['why is the sky blue?']);

      await eve.logIn('eve');
      await second.keyboard.press('Control+k');
      await second.locator('.conversations', { hasText: 'No conversations yet.' }).waitFor();

      await page.locator('.you').click();
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('button', { name: /Yes, sign me out/ }).click();
      await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
      assert.equal(await page.locator('.conversations, .conversation-title').count(), 0);
      const left = await page.evaluate(() => Object.keys({ ...sessionStorage, ...localStorage }).filter((name) => /:(draft|pending|list|places|deleting):/.test(name)));
      assert.deepEqual(left, [], 'nothing of theirs is left');
    })));
