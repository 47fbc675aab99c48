// The panel Turns: turns across conversations, filtered and sorted; the one that is chosen is shown by chat, trace and graph.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes, dark, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 2 });
const keepsNothing = new Stage({ wordPause: 2, flags: ['--durability', 'none'] });
before(() => Promise.all([stage.open(), keepsNothing.open()]));
after(() => Promise.all([stage.close(), keepsNothing.close()]));

const QUESTIONS = ['hello', 'why is the sky blue?', 'tell me a joke', 'show me a table'];
const rows = (page) => page.locator('.turns[aria-busy=false] tbody tr[data-turn-row]');
const questions = (page) => rows(page).locator('th a').allInnerTexts();
const hash = (page) => page.evaluate(() => location.hash);

/** Asks all questions behind the page's back, one after another, of any session. */
async function asked(visitor, session = visitor.session) {
  const other = Object.assign(Object.create(Object.getPrototypeOf(visitor)), visitor, { session });
  for (const [at, text] of QUESTIONS.entries()) {
    await other.send('/api/send', { text });
    await becomes(async () => (await other.read('/api/result')).status, 'done');
    await becomes(async () => (await other.read('/api/turns', { limit: 200 })).turns.length, at + 1);
  }
}

test('each turn of this conversation is a row with what the server says of it', () =>
  stage.visit({}, async (visitor, page) => {
    await asked(visitor);
    await visitor.send('/api/feedback', { turn: 'msg_2', rating: -1, comment: 'too long' });
    await visitor.open('turns');
    await becomes(() => questions(page), QUESTIONS.toReversed());
    const { turns } = await visitor.read('/api/turns');
    for (const [at, turn] of turns.entries()) {
      const text = (await rows(page).nth(at).innerText()).replaceAll(',', '');
      for (const part of [turn.id, turn.path, 'done', ...(turn.tokens_in ? [`${turn.tokens_in} → ${turn.tokens_out}`] : [])]) assert.ok(text.includes(part), `${part} in ${text}`);
    }
    assert.match(await rows(page).nth(2).innerText(), /👎\s*rated bad/);
    await page.getByRole('link', { name: QUESTIONS[1] }).click();
    await page.locator('.chosen-turn', { hasText: 'too long' }).waitFor();
    await visitor.picture('turns');
    await visitor.finds('the list of turns');
  }));

test('a turn that ends while one looks comes to the top', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.open('turns');
    await page.getByText('There are no turns yet.').waitFor();
    await visitor.ask('hello');
    await becomes(() => questions(page), ['hello']);
  }));

test('filters and the order stand in the address, and a link brings them back', () =>
  stage.visit({}, async (visitor, page) => {
    await asked(visitor);
    await visitor.send('/api/feedback', { turn: 'msg_3', rating: 1 });
    await visitor.open('turns');
    await becomes(() => rows(page).count(), 4);
    await page.getByLabel('Rating').selectOption('1');
    await becomes(() => questions(page), ['tell me a joke']);
    await becomes(() => hash(page), '#/turns?rating=1');
    await page.getByLabel('Rating').selectOption('');
    await page.getByRole('button', { name: 'Tokens' }).click();
    await page.locator('th[aria-sort=descending]', { hasText: 'Tokens' }).waitFor();
    const { turns } = await visitor.read('/api/turns', { sort: 'tokens' });
    await becomes(() => questions(page), turns.map(({ question }) => question));
    await page.getByLabel('Path').selectOption('director');
    await becomes(() => rows(page).count(), 3);
    const search = page.getByRole('searchbox');
    await search.fill('blue');
    await search.press('Enter');
    await becomes(() => questions(page), ['why is the sky blue?']);
    const link = page.url();
    assert.match(link, /#\/turns\?sort=tokens&path=director&search=blue$/);
    await page.goto('about:blank');
    await page.goto(link);
    await becomes(() => questions(page), ['why is the sky blue?']);
    await becomes(() => search.inputValue(), 'blue');
    await search.fill('nothing of the kind');
    await search.press('Enter');
    await page.getByText('No turn matches.').waitFor();
    await page.getByLabel('Status').selectOption('error');
    await becomes(() => hash(page), '#/turns?sort=tokens&path=director&search=nothing+of+the+kind&status=error');
  }));

test('chat, trace and graph go to the turn that is chosen, and the list comes back as it was', () =>
  stage.visit({ viewport: { width: 1200, height: 500 } }, async (visitor, page) => {
    await asked(visitor);
    await visitor.reload();
    await visitor.open('turns?sort=tokens'.split('?')[0]);
    await page.getByRole('button', { name: 'Tokens' }).click();
    await page.getByRole('link', { name: 'hello' }).click();
    await page.locator('tr[aria-current=true]', { hasText: 'hello' }).waitFor();
    await becomes(() => page.locator('.turn[data-turn=msg_1] .question').evaluate((element) => {
      const [inner, outer] = [element.getBoundingClientRect(), document.querySelector('.scroller').getBoundingClientRect()];
      return inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
    }), true, 'the chat shows it');
    await becomes(() => page.locator('.trace-link[aria-current]').getAttribute('href'), '#/turn/msg_1');

    await page.getByRole('tab', { name: 'Graph' }).click();
    await page.locator('.said-of-graph', { hasText: 'msg_1' }).waitFor();
    await page.locator('.paths [aria-current]', { hasText: 'reflex' }).waitFor();
    await page.locator('[data-node=director][data-state=idle]').waitFor();
    await page.locator('[data-node=input]').click();
    await page.locator('.node a', { hasText: 'msg_1' }).waitFor();
    await visitor.ask('why is the sea salty?');
    assert.equal(await page.locator('[data-node=director]').getAttribute('data-state'), 'idle', 'it stays on the chosen turn');
    await page.getByRole('link', { name: 'Show the latest turn' }).click();
    await page.locator('[data-node=director][data-state=done]').waitFor();
    await page.goBack();
    await page.locator('.said-of-graph', { hasText: 'msg_1' }).waitFor();

    await page.getByRole('tab', { name: 'Trace' }).click();
    await page.locator('.trace-message', { hasText: 'hello' }).waitFor();
    await page.getByRole('tab', { name: 'Turns' }).click();
    await becomes(() => hash(page), '#/turns?sort=tokens&turn=msg_1');
    await page.locator('tr[aria-current=true]', { hasText: 'hello' }).waitFor();
  }));

test('where nobody signs in, who sits at the server sees all conversations, and goes to a turn of another', () =>
  stage.visit({}, async (visitor, page) => {
    const other = `${visitor.session}-other`;
    await asked(visitor, other);
    await visitor.ask('what did I say before?');
    await visitor.open('turns');
    await becomes(() => rows(page).count(), 1);
    await page.getByLabel('Which turns').selectOption('all');
    await becomes(async () => (await rows(page).count()) > 4, true);
    const theirs = rows(page).filter({ hasText: other }).filter({ hasText: 'sky' });
    await theirs.getByRole('link').click();
    await page.waitForURL((url) => url.searchParams.get('session') === other);
    await page.locator('tr[aria-current=true]', { hasText: 'sky' }).waitFor();
    await page.locator('.turn[data-turn=msg_2] .question', { hasText: 'sky' }).waitFor();
    assert.equal(await hash(page), '#/turns?scope=all&turn=msg_2');
    await page.getByRole('tab', { name: 'Trace' }).click();
    await page.locator('.trace-message', { hasText: 'sky' }).waitFor();
  }));

test('pages follow each other, and only one is drawn', () => {
  const turn = (number) => ({ session: 's', id: `msg_${number}`, question: `question ${number}`, started_at: number, status: number % 3 ? 'done' : 'error', degraded: null, graph: 'g', path: 'p', total_ms: 0, first_token_ms: null, tokens_in: 0, tokens_out: 0, cost_micros: number, rating: null, comment: null });
  const prepare = (page) =>
    page.route('**/api/turns?*', (route) => {
      const from = Number(new URL(route.request().url()).searchParams.get('before') ?? 120);
      route.fulfill({ json: { turns: Array.from({ length: Math.min(50, from) }, (_, at) => turn(from - at)), next: from > 50 ? String(from - 50) : null } });
    });
  return stage.visit({ prepare }, async (visitor, page) => {
    await visitor.open('turns');
    await becomes(async () => (await questions(page))[0], 'question 120');
    const [back, on] = [page.getByRole('button', { name: 'Previous' }), page.getByRole('button', { name: 'Next' })];
    assert.equal(await back.isDisabled(), true);
    await on.click();
    await becomes(async () => (await questions(page))[0], 'question 70');
    await on.click();
    await becomes(() => rows(page).count(), 20);
    assert.equal(await on.isDisabled(), true);
    await page.getByText('Page 3').waitFor();
    await rows(page).filter({ hasText: 'msg_18' }).locator('.bad', { hasText: 'failed' }).waitFor();
    assert.match(await rows(page).first().innerText(), /<1\sms\s+–\s+–\s+0\.00002/, 'what is not known is not made up');
    await back.click();
    await becomes(async () => (await questions(page))[0], 'question 70');
    await page.getByLabel('Status').selectOption('error');
    await becomes(async () => (await questions(page))[0], 'question 120', 'another list begins with its first page');
  });
});

test('a server that keeps nothing says so', () =>
  keepsNothing.visit({ tolerates: /Failed to load resource/ }, async (visitor, page) => {
    const { detail } = await (await fetch(`${keepsNothing.address}/api/turns?session=x`)).json();
    await visitor.open('turns');
    await page.locator('.turns .bad', { hasText: detail }).waitFor();
  }));

for (const [name, options] of [['dark', dark], ['phone', phone], ['german', { locale: 'de-DE' }]]) {
  test(`${name}: axe finds nothing, and nothing is wider than the window`, () =>
    stage.visit(options, async (visitor, page) => {
      await asked(visitor);
      await visitor.open('turns');
      await page.getByRole('link', { name: 'why is the sky blue?' }).click();
      await page.locator('.chosen-turn').waitFor();
      await visitor.finds('turns');
      await visitor.picture(`turns-${name}`);
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      if (name !== 'german') return;
      await page.locator('thead', { hasText: 'Erstes Token' }).waitFor();
      for (const [panel, text] of [['trace', 'Zeitachse'], ['graph', 'Pfade'], ['tests', 'Terminal'], ['state', 'Gedächtnis']]) {
        await visitor.open(panel);
        await page.locator('.drawer', { hasText: text }).waitFor();
        await visitor.picture(`${panel}-german`);
      }
    }));
}
