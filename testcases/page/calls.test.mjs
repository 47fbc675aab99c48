// The trace tells the truth about calls: what failed and why, what was made again, what it cost; and what can be done with a
// call: make it again with another prompt, fork the conversation, save it as a test.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { setOut } from '../../static/sqlformat.js';
import { Stage, becomes, phone } from './stage.mjs';

const STATEMENT = "SELECT k.name, COUNT(*) AS zahl FROM kunden k WHERE k.gibt_es_nicht = 'von, bis' GROUP BY k.name ORDER BY zahl";
const ANSWERS = {
  input: { who: 'user', language: 'de', intent: 'question', topic: 'kwh', tone: 'neutral', complexity: 'simple', context: '' },
  pa: { expert: 'eras', job: 'Zähle alles.', thinking_message: '', language: 'de' },
  expert: { tool_sequence: [{ tool: 'query', args: { sql: STATEMENT, as: 'table', label: 'Alles' } }], response_hint: '', interpret: false },
  output: 'Das ging nicht.',
  memorizer: '{}',
};

/** A model that is busy when `pa` calls it for the first time, and counts tokens. */
async function model() {
  let busy = 1;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes) => (body += bytes));
    request.on('end', () => {
      const { messages = [], stream } = body ? JSON.parse(body) : {};
      const [, node] = /^# (\w+)/.exec(messages[0]?.content ?? '') ?? [];
      if (node === 'pa' && busy-- > 0) {
        response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '1' });
        return response.end(JSON.stringify({ error: { message: 'slow down, key sk-secret', type: 'rate_limit' } }));
      }
      const said = messages[0]?.content.includes('EDITED') ? 'edited answer' : (ANSWERS[node] ?? '');
      const content = typeof said === 'string' ? said : JSON.stringify(said);
      const usage = { prompt_tokens: 1000, completion_tokens: 10, total_tokens: 1010 };
      const choice = (part, finish_reason) => ({ id: 'c', object: 'chat.completion', model: 'scripted-2', choices: [{ index: 0, ...part, finish_reason }] });
      if (!stream) {
        response.writeHead(200, { 'content-type': 'application/json' });
        return response.end(JSON.stringify({ ...choice({ message: { role: 'assistant', content } }, 'stop'), usage }));
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const event of [choice({ delta: { role: 'assistant', content } }, null), choice({ delta: {} }, 'stop'), { ...choice({}, null), choices: [], usage }]) response.write(`data: ${JSON.stringify(event)}\n\n`);
      response.end('data: [DONE]\n\n');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, close: () => server.close() };
}

const scripted = await model();
const flags = ['--llm-url', scripted.url, '--model', 'scripted', '--graph', 'v4-eras', '--database', 'eras2_production=sample', '--price', 'scripted=2,1,8'];
const troubled = new Stage({ flags: [...flags, '--rerun'] });
const stage = new Stage({ wordPause: 1 });
before(() => Promise.all([troubled.open(), stage.open()]));
after(async () => {
  await Promise.all([troubled.close(), stage.close()]);
  scripted.close();
});

const ofDrawer = (page, selector, options) => page.locator(`.drawer ${selector}`, options);
const call = (page, label) => ofDrawer(page, '.call').filter({ has: page.locator('.name', { hasText: label }) });
const rests = (page) => page.locator('.trace[aria-busy=false]').waitFor();

/** No opened call offers to be made again. What would offer it is fetched with the first one, so it would be there with the second. */
async function isNotOffered(page) {
  await rests(page);
  const row = (label) => call(page, label).first().locator('button.row');
  await Promise.all([page.waitForResponse(/\/api\/me\?/), page.waitForResponse(/\/rerun\.js/), page.waitForResponse(/\/rerun\.css/), row('input').click()]);
  await row('director').click();
  await page.getByRole('button', { name: 'Save as a test' }).nth(2).waitFor();
  await becomes(() => page.getByRole('button', { name: 'Re-run with another prompt' }).count(), 0);
}

test('a call that was made again says how often and why, a refused statement is red, and the turn says what it cost', () =>
  troubled.visit({}, async (visitor, page) => {
    await visitor.ask('zähle alles');
    await visitor.open('trace');
    const trace = await visitor.wholeTrace();
    const calls = trace.frames.flatMap((frame) => frame.calls);
    const again = calls.find(({ retries }) => retries);
    const pa = call(page, again.label).first();
    await pa.getByText('2 attempts').waitFor();
    await becomes(() => pa.locator('ol.why li').allInnerTexts(), again.retries);
    assert.equal(await pa.locator('.track i:last-child').getAttribute('data-repeated'), 'true', 'its bar is not one solid piece');
    assert.equal(await call(page, 'input').first().locator('.track i:last-child').getAttribute('data-repeated'), 'false');

    const query = call(page, /^database query$/).first();
    await query.locator('.bad', { hasText: 'The database refused the statement: ' }).waitFor();
    assert.equal(await query.getAttribute('data-status'), 'error');
    const colours = await query.evaluate((row) => [getComputedStyle(row.querySelector('.track i:last-child')).backgroundColor, getComputedStyle(row.querySelector('.bad')).color]);
    assert.equal(colours[0], colours[1], 'bar and sentence are of one red');

    const line = await ofDrawer(page, '.summary-line').innerText();
    const cost = (trace.usage.cost_micros / 1e6).toFixed(6).replace(/0{1,4}$/, '');
    assert.match(line, new RegExp(`first token after .* · .* tokens \\(.* → .*\\) · cost ${cost.replace('.', '\\.')}`), line);
    assert.match(line, /v4-eras · scripted-2/);
    await visitor.finds('a trace with failures');
    await visitor.picture('trace-failures');

    await query.locator('button.row').click();
    await becomes(() => query.locator('.call-detail pre').first().innerText(), setOut(STATEMENT));
    await query.locator('.call-detail pre.bad').waitFor();
    await pa.locator('button.row').click();
    await pa.locator('.call-detail .facts', { hasText: 'scripted-2' }).waitFor();
    await page.getByRole('button', { name: 'Table' }).click();
    await ofDrawer(page, 'tr', { hasText: '2 attempts' }).waitFor();
    await ofDrawer(page, 'td .bad', { hasText: 'The database refused the statement' }).first().waitFor();
    await becomes(() => ofDrawer(page, 'thead th').last().innerText(), 'Cost');
  }));

test('a call is made again with another prompt, and both answers stand beside each other', () =>
  troubled.visit({}, async (visitor, page) => {
    await visitor.ask('zähle alles');
    await visitor.open('trace');
    await rests(page);
    const input = call(page, 'input').first();
    await input.locator('button.row').click();
    await input.getByRole('button', { name: 'Re-run with another prompt' }).click();
    const run = input.getByRole('button', { name: 'Run', exact: true });
    await run.click();
    await input.getByText('The answer is the same.').waitFor();
    const prompt = input.locator('.rerun textarea').first();
    await prompt.fill('# input\nEDITED');
    await run.click();
    await input.getByText('The answer differs.').waitFor();
    await becomes(() => input.locator('.both dd').last().innerText(), 'edited answer');
    await input.locator('.both mark').first().waitFor();
    await visitor.finds('a call made again');
    await visitor.picture('rerun');
    assert.equal((await visitor.history()).length, 2, 'the conversation is as it was');
  }));

test('where the server does not allow that, it says so once and offers it no more', () =>
  stage.visit({ tolerates: /status of 403/ }, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    await visitor.open('trace');
    await rests(page);
    const input = call(page, 'input').first();
    await input.locator('button.row').click();
    await input.getByRole('button', { name: 'Re-run with another prompt' }).click();
    await input.getByRole('button', { name: 'Run', exact: true }).click();
    await input.locator('.bad', { hasText: 'only administrators' }).waitFor();
    await becomes(() => page.evaluate(() => document.activeElement.getAttribute('role')), 'alert', 'the focus is where the form was');
    await visitor.reload();
    await isNotOffered(page);
  }));

test('what the server says of it beforehand counts', () =>
  stage.visit({ prepare: (page) => page.route('**/api/me?*', (route) => route.fulfill({ json: { scopes: ['chat', 'read'], rerun: false } })) }, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    await visitor.open('trace');
    await isNotOffered(page);
  }));

test('a conversation is forked from a turn on, with another message', () =>
  stage.visit({}, async (visitor, page) => {
    for (const text of ['hello', 'why is the sky blue?', 'tell me a joke']) await visitor.ask(text);
    await visitor.open('turn/msg_2');
    await rests(page);
    await page.getByRole('button', { name: 'Fork from here' }).click();
    const message = page.getByLabel('First message of the new conversation');
    assert.equal(await message.inputValue(), 'why is the sky blue?');
    await visitor.finds('a fork');
    await visitor.picture('fork');
    await message.fill('what did I say before?');
    await page.getByRole('button', { name: 'Fork', exact: true }).click();
    await page.waitForURL((url) => url.searchParams.get('session') !== visitor.session);
    await page.locator('.turn').nth(1).locator('.trace-link').waitFor();
    await becomes(() => page.locator('.question').allInnerTexts().then((all) => all.map((text) => text.replace(/^You:\s*/, ''))), ['hello', 'what did I say before?']);
    assert.equal((await visitor.history()).length, 6, 'this one is as it was');
  }));

test('a turn that is no longer in memory is read from the journal', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    for (let count = 0; count < 21; count += 1) {
      await visitor.send('/api/send', { text: 'hello' });
      await becomes(async () => (await visitor.read('/api/result')).id, `msg_${count + 2}`);
      await becomes(async () => (await visitor.read('/api/result')).status, 'done');
    }
    await visitor.reload();
    await visitor.open('turn/msg_1');
    await ofDrawer(page, '.trace-message', { hasText: 'sky' }).waitFor();
    await becomes(() => ofDrawer(page, '.frame').count(), 4);
    await call(page, 'director').first().locator('button.row').click();
    await ofDrawer(page, '.call-detail pre').last().waitFor();
  }));

test('a turn that there is not is no trace', () =>
  stage.visit({ tolerates: /status of 404/ }, async (visitor, page) => {
    await visitor.ask('hello');
    await visitor.open('turn/msg_99');
    await ofDrawer(page, '.hint', { hasText: 'There is no trace of msg_99.' }).waitFor();
  }));

test('the drawer is made wider and narrower by pointer and by keys, within bounds, and stays so', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    await visitor.open('trace');
    const edge = page.getByRole('separator', { name: 'Width of the cockpit' });
    const width = async () => Math.round((await page.locator('.drawer').boundingBox()).width);
    const own = await width();
    await edge.focus();
    await page.keyboard.press('ArrowLeft');
    await becomes(width, own + 32);
    await becomes(() => edge.getAttribute('aria-valuenow'), String(own + 32));
    await page.keyboard.press('End');
    await becomes(width, 1200 - 320);
    await page.keyboard.press('ArrowLeft');
    await becomes(width, 1200 - 320);
    await becomes(() => page.evaluate(() => localStorage.getItem('framewright:drawer-width')), '880', 'no more is remembered');
    await page.keyboard.press('Home');
    await becomes(width, 352);
    for (const name of ['Trace', 'Graph', 'Turns', 'Tests', 'State']) {
      await page.getByRole('tab', { name, exact: true }).click();
      await becomes(() => page.evaluate(() => document.querySelector('.drawer-body').scrollWidth <= document.querySelector('.drawer-body').clientWidth), true, `${name} fits`);
    }
    await becomes(() => page.evaluate(() => document.querySelector('.tabs').scrollWidth <= document.querySelector('.tabs').clientWidth), true, 'all tabs are seen');
    await visitor.open('trace');
    await rests(page);
    await visitor.picture('drawer-narrow');

    const box = await edge.boundingBox();
    await page.mouse.move(box.x + box.width / 2, 400);
    await page.mouse.down();
    await page.mouse.move(700, 400, { steps: 4 });
    await page.mouse.up();
    await becomes(width, 500);
    await visitor.reload();
    await becomes(width, 500);
    await page.setViewportSize({ width: 780, height: 850 });
    await becomes(width, 460, 'the window bounds it');
    await page.setViewportSize({ width: 1200, height: 850 });
    await visitor.finds('a drawer of another width');
    await edge.dblclick();
    await becomes(width, own);
  }));

test('on a phone the drawer has the window to itself, whatever width was chosen', () =>
  stage.visit(phone, async (visitor, page) => {
    await page.evaluate(() => localStorage.setItem('framewright:drawer-width', '500'));
    await visitor.reload();
    await visitor.open('trace');
    await becomes(async () => (await page.locator('.drawer').boundingBox()).width, 390);
    assert.equal(await page.getByRole('separator').count(), 0);
  }));

// --- the pure parts

test('a statement is set out without a character of it changing', () => {
  for (const [sql, wanted] of [
    ['SELECT 1', 'SELECT 1'],
    ["SELECT a, COUNT(b, c) FROM t WHERE x = 'from, and (' AND y BETWEEN 1 AND 2 OR z", "SELECT a,\n  COUNT(b, c)\nFROM t\nWHERE x = 'from, and ('\n  AND y BETWEEN 1 AND 2\n  OR z"],
    ['SELECT * FROM a LEFT JOIN b ON b.id = a.id', 'SELECT *\nFROM a\n  LEFT JOIN b ON b.id = a.id'],
    ['SELECT * FROM a WHERE id IN (SELECT id FROM b) LIMIT 3', 'SELECT *\nFROM a\nWHERE id IN (\n    SELECT id\n    FROM b\n)\nLIMIT 3'],
    ['SELECT a\nFROM t', 'SELECT a\nFROM t'],
    ['SELECT "a , b" -- from', 'SELECT "a , b" -- from'],
    ["SELECT 'it''s'", "SELECT 'it''s'"],
    [')) FROM (', '))\nFROM ('],
    ['', ''],
  ]) {
    assert.equal(setOut(sql), wanted);
    assert.equal(setOut(sql).replace(/\s/g, ''), sql.replace(/\s/g, ''));
  }
});
