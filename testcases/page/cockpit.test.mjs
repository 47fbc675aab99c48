// The cockpit beside the chat: its tabs, the panel Trace while a turn runs and after, and the panel State.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { SLOW, Stage, becomes, copies, dark, phone } from './stage.mjs';

const STORY = 'tell me a long story';

const stage = new Stage({ wordPause: 20 });
const slow = new Stage(SLOW);
before(() => Promise.all([stage.open(), slow.open()]));
after(() => Promise.all([stage.close(), slow.close()]));

const tab = (page, name) => page.getByRole('tab', { name, exact: true });
const isSelected = (page, name) => page.locator('[role=tab][aria-selected=true]', { hasText: name }).waitFor();
const ofDrawer = (page, selector, options) => page.locator(`.drawer ${selector}`, options);
const rests = (page) => page.locator('.trace[aria-busy=false]').waitFor();
/** The focus follows with the frame after what it follows. @param {string} name a label or a text */
const isFocused = (page, name) =>
  page.waitForFunction((text) => (document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent) === text, name);
const answersAboutMeters = (visitor) => visitor.send('/api/graph/switch', { name: 'v4-eras' });

test('the cockpit opens from the bar above, its tabs go by arrow keys, Esc closes it and gives the focus back', () =>
  stage.visit({}, async (visitor, page) => {
    const opener = page.getByRole('button', { name: 'Cockpit', exact: true });
    await opener.focus();
    await page.keyboard.press('Enter');
    await isSelected(page, 'Trace');
    await becomes(() => opener.getAttribute('aria-expanded'), 'true');
    await page.getByText('Nothing ran yet').waitFor();
    await isFocused(page, 'Trace');
    await becomes(() => page.locator('[role=tab][tabindex="0"]').count(), 1, 'one tab can be reached');
    const names = await page.getByRole('tab').allInnerTexts();
    for (const [key, name] of [['ArrowLeft', names.at(-1)], ['ArrowRight', names[0]], ['End', names.at(-1)], ['Home', names[0]], ['ArrowRight', names[1]]]) {
      await page.keyboard.press(key);
      await isSelected(page, name);
      await isFocused(page, name);
      await becomes(() => page.evaluate(() => location.hash), `#/${name.toLowerCase()}`);
    }
    await page.keyboard.press('Escape');
    await ofDrawer(page, '').waitFor({ state: 'detached' });
    await isFocused(page, 'Cockpit');
    await becomes(() => page.evaluate(() => location.hash), '');
  }));

test('the focus has moved before anything is painted, so that it is never taken from where one writes by then', () =>
  stage.visit({}, async (visitor, page) => {
    const opener = page.getByRole('button', { name: 'Cockpit', exact: true });
    await opener.click();
    await isFocused(page, 'Trace');
    const pressed = (name) =>
      page.evaluate(async (label) => {
        document.querySelector(`[aria-label="${label}"]`).click();
        const { port1, port2 } = new MessageChannel();
        await new Promise((resolve) => {
          port1.onmessage = resolve;
          port2.postMessage('');
        });
        return document.activeElement.getAttribute('aria-label') ?? document.activeElement.id;
      }, name);
    assert.equal(await pressed('Close the cockpit'), 'Cockpit');
  }));

test('the focus goes along with a panel that is opened by its address, and stays where one writes', () =>
  stage.visit({}, async (visitor, page) => {
    await page.getByRole('button', { name: 'Cockpit', exact: true }).click();
    for (const name of ['Graph', 'Trace']) {
      await page.evaluate((hash) => void (location.hash = hash), `#/${name.toLowerCase()}`);
      await isSelected(page, name);
      await isFocused(page, name);
    }
    await page.locator('[role=tabpanel]').focus();
    await page.goBack();
    await isSelected(page, 'Graph');
    await isFocused(page, 'Graph');
    await page.locator('#message').focus();
    await page.goForward();
    await isSelected(page, 'Trace');
    await page.waitForTimeout(100);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'message');
  }));

test('a tab that was opened by its address has no frame, until a key is pressed', () =>
  stage.visit({}, async (visitor, page) => {
    await page.goto(visitor.url('#/trace'));
    await page.reload();
    await isFocused(page, 'Trace');
    const hasFrame = () => page.evaluate(() => document.activeElement.matches(':focus-visible'));
    assert.equal(await hasFrame(), false);
    await page.keyboard.press('ArrowRight');
    await isFocused(page, 'Graph');
    assert.equal(await hasFrame(), true);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Cockpit', exact: true }).focus();
    await page.keyboard.press('Enter');
    await isFocused(page, 'Trace');
    assert.equal(await hasFrame(), true);
  }));

test('Esc closes the cockpit before it stops an answer, and the back button closes it whatever tabs were shown', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say(STORY);
    await page.locator('.turn[data-status=running]').waitFor();
    await page.getByRole('button', { name: 'Cockpit', exact: true }).click();
    await tab(page, 'State').click();
    await tab(page, 'Trace').click();
    await page.goBack();
    await ofDrawer(page, '').waitFor({ state: 'detached' });
    for (const focus of [() => tab(page, 'Trace').focus(), () => page.evaluate(() => document.activeElement.blur())]) {
      await visitor.open('trace');
      await isFocused(page, 'Trace');
      await focus();
      await page.keyboard.press('Escape');
      await ofDrawer(page, '').waitFor({ state: 'detached' });
      assert.equal(await page.locator('.turn[data-status=running]').count(), 1);
    }
    await visitor.open('trace');
    await isFocused(page, 'Trace');
    await page.locator('#message').press('Escape');
    await page.locator('.turn[data-status=stopped]').waitFor();
    assert.equal(await ofDrawer(page, '').count(), 1, 'where one writes, Esc stops, and one sees it');
  }));

test('on a phone the tabs are a bar at the bottom, and the panel covers the chat', () =>
  stage.visit(phone, async (visitor, page) => {
    await visitor.ask('hello');
    await page.getByRole('button', { name: 'Cockpit', exact: true }).click();
    await rests(page);
    const { y, height } = await page.getByRole('tablist').boundingBox();
    assert.ok(y > 760 && y + height <= 844, `the tabs are from ${y} on, ${height} high`);
    await page.locator('.chat').waitFor({ state: 'hidden' });
    for (const name of await page.getByRole('tab').allInnerTexts()) {
      await tab(page, name).click();
      await isSelected(page, name);
      await page.locator('#panel > :not(h2, .way)').first().waitFor();
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), 390, `${name} fits`);
    }
    await page.getByRole('button', { name: 'Close the cockpit' }).click();
    await page.locator('.chat .question').waitFor();
  }));

test('while a turn runs its frames and bars grow, and when nothing runs nothing is drawn again', () =>
  slow.visit({ prepare: countPaints }, async (visitor, page) => {
    await visitor.open('trace');
    await page.getByText('Nothing ran yet').waitFor();
    await visitor.say(STORY);
    const running = ofDrawer(page, '.frame[data-running=true]');
    await running.locator('b', { hasText: 'output' }).waitFor();
    assert.equal(await ofDrawer(page, '.route').count(), 0, 'which routes were taken is known with the trace');
    assert.equal(await ofDrawer(page, '.trace-message').innerText(), STORY);
    assert.equal(await page.locator('.trace').getAttribute('aria-busy'), 'true');
    const time = () => running.locator('.call .time').innerText().then(milliseconds);
    const first = await time();
    await becomes(async () => (await time()) > first, true);
    await visitor.picture('cockpit-trace-live');
    await visitor.finds('a running turn');
    await page.getByRole('button', { name: 'Stop' }).click();
    await rests(page);
    const paintsMeanwhile = async () => {
      const before = await page.evaluate(() => globalThis.paints);
      await page.waitForTimeout(600);
      return (await page.evaluate(() => globalThis.paints)) - before;
    };
    await becomes(paintsMeanwhile, 0);
    assert.match(await ofDrawer(page, '.summary-line').innerText(), /stopped/);
  }));

test('bars stand where the trace says, in the colour of what was called, with tokens by call and in all', () =>
  stage.visit({ viewport: { width: 1200, height: 1100 } }, async (visitor, page) => {
    await answersAboutMeters(visitor);
    await visitor.open('trace');
    await visitor.ask('zeig mir den Verbrauch pro Monat 2023');
    const trace = await visitor.wholeTrace();
    await page.getByText('After the answer').waitFor();
    assert.ok(trace.background.length > 0 && trace.frames.length === 5);
    assert.deepEqual(await ofDrawer(page, '.frame-number').allTextContents(), trace.frames.map(({ frame }) => `Frame ${frame}`));
    const line = await ofDrawer(page, '.summary-line').innerText();
    const { prompt_tokens: asked, completion_tokens: said, total_tokens: tokens } = trace.usage;
    assert.ok(line.replaceAll(',', '').includes(`5 frames`) && line.replaceAll(',', '').includes(`${tokens} tokens (${asked} → ${said})`), line);

    const ends = [...trace.background, ...trace.frames.flatMap(({ calls }) => calls)].map((call) => call.started_ms + call.duration_ms);
    const most = Math.max(trace.total_ms, ...ends);
    const calls = [...trace.frames.flatMap((frame) => frame.calls), ...trace.background];
    const rows = await ofDrawer(page, '.call').evaluateAll((all) =>
      all.map((row) => {
        const bar = row.querySelector('.track i:last-child');
        return { kind: bar.dataset.kind, width: bar.style.width, tokens: row.querySelector('.tokens [aria-hidden]')?.textContent ?? '', colour: getComputedStyle(bar).backgroundColor };
      }),
    );
    assert.deepEqual(rows.map(({ kind }) => kind), calls.map(({ kind }) => kind));
    assert.equal(new Set(rows.map(({ colour }) => colour)).size, 2, 'a model and a database look different');
    const worked = calls.map((call) => call.duration_ms - call.waited_ms);
    const longest = worked.indexOf(Math.max(...worked));
    const end = (100 * worked[longest]) / Number.parseFloat(rows[longest].width);
    assert.ok(end > 0.99 * most && end < 2.6 * most, `the scale ends at ${end}, the turn at ${most}`);
    calls.forEach((call, at) => {
      const [shown, told] = [Number.parseFloat(rows[at].width), (100 * worked[at]) / end];
      assert.ok(Math.abs(shown - told) < 0.1, `${call.label}: ${shown} is not ${told}`);
      const words = call.usage ? `${call.usage.prompt_tokens} → ${call.usage.completion_tokens}` : '';
      assert.equal(rows[at].tokens.replaceAll(',', ''), words, call.label);
    });
    const led = await ofDrawer(page, '.led').allInnerTexts();
    trace.frames.forEach(({ route }, at) => assert.ok(led[at].includes(route), led[at]));
    await visitor.picture('cockpit-trace');
    await visitor.finds('a trace');
  }));

test('a call shows what it asked and what came only when it is opened', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    await visitor.open('turn/msg_1');
    await rests(page);
    assert.equal(await page.locator('.call-detail').count(), 0);
    const row = ofDrawer(page, 'button.row').nth(2);
    assert.equal(await row.getAttribute('aria-expanded'), 'false');
    await row.click();
    const { calls } = await visitor.read('/api/turn', { id: 'msg_1' });
    const { request, answer } = calls[2];
    await page.locator('.call-detail summary', { hasText: 'answer' }).waitFor();
    const texts = await page.locator('.call-detail pre').allTextContents();
    for (const message of request.messages) assert.ok(texts.includes(message.content), message.role);
    assert.ok(texts.includes(answer), answer);
    await visitor.finds('an opened call');
    await visitor.picture('cockpit-call');
    await row.click();
    await page.locator('.call-detail').waitFor({ state: 'detached' });
  }));

test('a link leads to a turn of any session, and copying it gives that link', () =>
  stage.visit({ permissions: ['clipboard-read', 'clipboard-write'] }, async (visitor, page) => {
    for (const text of ['hello', 'why is the sky blue?']) await visitor.ask(text);
    await visitor.open('trace');
    await ofDrawer(page, '.trace-message', { hasText: 'sky' }).waitFor();
    await page.getByLabel('Turn', { exact: true }).selectOption('msg_1');
    await ofDrawer(page, '.trace-message').filter({ hasText: 'hello' }).waitFor();
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByRole('button', { name: 'Link copied' }).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, visitor.url('#/turn/msg_1'));
    await page.goto('about:blank');
    await page.goto(link);
    await ofDrawer(page, '.trace-message').filter({ hasText: 'hello' }).waitFor();
    await page.getByLabel('Turn', { exact: true }).selectOption('');
    await ofDrawer(page, '.trace-message').filter({ hasText: 'sky' }).waitFor();
  }));

test('a trace can be read, copied and taken away as JSON', () =>
  stage.visit({ permissions: ['clipboard-read', 'clipboard-write'], acceptDownloads: true }, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    await visitor.open('trace');
    const trace = await visitor.wholeTrace();
    await page.getByText('After the answer').waitFor();
    await page.getByRole('button', { name: 'JSON', exact: true }).click();
    await becomes(() => ofDrawer(page, '.json code').innerText().then(JSON.parse), trace);
    await copies(page, 'Copy as JSON');
    assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), trace);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
    assert.equal(download.suggestedFilename(), `${visitor.session}-msg_1.json`);
    assert.deepEqual(JSON.parse(await readFile(await download.path(), 'utf8')), await visitor.read('/api/turn', { id: 'msg_1' }));
  }));

test('the table tells in words what the bars show', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    await visitor.open('trace');
    const trace = await visitor.wholeTrace();
    await page.getByRole('button', { name: 'Table' }).click();
    const table = await ofDrawer(page, 'table').innerText();
    for (const { nodes, summary, route } of trace.frames) for (const text of [nodes.join(' + '), summary, route]) assert.ok(table.includes(text.replaceAll('\n', ' ')), `${text} in ${table}`);
    assert.equal(await ofDrawer(page, 'tbody th').count(), trace.frames.length + trace.frames.flatMap(({ calls }) => calls).length + trace.background.length);
    await visitor.picture('cockpit-table');
    await visitor.finds('the table of a trace');
  }));

test('what is remembered appears while one looks, and a table that was described is listed with its columns', () =>
  stage.visit({}, async (visitor, page) => {
    await answersAboutMeters(visitor);
    await visitor.open('state');
    const memory = ofDrawer(page, '[data-part=Memory]');
    await memory.locator('dd', { hasText: 'anonymous' }).waitFor();
    assert.equal(await memory.locator('[data-changed=true]').count(), 0);
    await visitor.ask('my name is Ada');
    await memory.locator('dd[data-changed=true]', { hasText: 'Ada' }).waitFor();

    await visitor.ask('zeig mir den Verbrauch pro Monat 2023');
    const tables = ofDrawer(page, '.schema');
    await tables.first().waitFor();
    const { schema_cache: schema } = await visitor.read('/api/state');
    await becomes(() => tables.count(), Object.keys(schema).length);
    assert.equal(await tables.first().locator('li').first().isVisible(), false);
    await tables.first().locator('summary').click();
    const [columns] = Object.values(schema);
    assert.deepEqual(await tables.first().locator('b').allInnerTexts(), columns.map(({ column }) => column));

    await visitor.ask('make a traffic light');
    await ofDrawer(page, '.machine-state[aria-current]', { hasText: /^red$/ }).waitFor();
    await page.locator('[data-machine] .control').first().click();
    await ofDrawer(page, '.machine-state[aria-current]').filter({ hasText: 'red_amber' }).waitFor();
    assert.deepEqual(await ofDrawer(page, '.machine-state').allInnerTexts(), ['red', 'red_amber', 'green', 'amber'], 'as one leads to the next');
    await visitor.picture('cockpit-state');
    await visitor.finds('the state');
  }));

test('tables that could not be read are read again', () => {
  let isBroken = false;
  const prepare = (page) => page.route('**/api/state*', (route) => (isBroken ? route.abort() : route.continue()));
  return stage.visit({ prepare, tolerates: /Failed to load resource/ }, async (visitor, page) => {
    await answersAboutMeters(visitor);
    await visitor.open('state');
    await page.getByText('Nothing runs.').waitFor();
    isBroken = true;
    await visitor.ask('zeig mir den Verbrauch pro Monat 2023');
    await page.getByText('No table has been described yet.').waitFor();
    isBroken = false;
    await ofDrawer(page, '.schema').first().waitFor();
  });
});

test('a call that runs is listed with its time, and can be cancelled', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.open('state');
    await page.getByText('Nothing runs.').waitFor();
    await visitor.say(STORY);
    const process = ofDrawer(page, '.processes li', { hasText: 'output' });
    const time = () => process.locator('.time').innerText();
    const first = milliseconds(await time());
    await becomes(async () => milliseconds(await time()) > first, true, `it stays at ${first} ms`);
    await visitor.picture('cockpit-processes');
    await page.getByRole('button', { name: 'Cancel output' }).click();
    await page.locator('.turn[data-status=stopped]').waitFor();
    await page.getByText('Nothing runs.').waitFor();
    assert.equal((await visitor.lastTrace()).status, 'cancelled');
  }));

for (const [name, options] of [['dark', dark], ['phone', phone], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: axe finds nothing in Trace and State, and nothing is wider than the window`, () =>
    stage.visit(options, async (visitor, page) => {
      await answersAboutMeters(visitor);
      await visitor.ask('my name is Ada');
      await visitor.ask('make a traffic light');
      await visitor.ask('zeig mir den Verbrauch pro Monat 2023');
      for (const panel of ['trace', 'state']) {
        await visitor.open(panel);
        await ofDrawer(page, panel === 'trace' ? '.trace[aria-busy=false]' : '.schema').first().waitFor();
        await visitor.picture(`cockpit-${panel}-${name}`);
        await visitor.finds(panel);
        await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      }
    }));
}

/** How often the page asked to be painted. */
function countPaints(page) {
  return page.addInitScript(() => {
    const paint = globalThis.requestAnimationFrame;
    globalThis.paints = 0;
    globalThis.requestAnimationFrame = (draw) => {
      globalThis.paints += 1;
      return paint.call(globalThis, draw);
    };
  });
}

/** `812 ms` and `4.1 s` as a number. */
function milliseconds(text) {
  const [, amount, unit] = /([\d.]+)\s(ms|s)$/.exec(text);
  return Number(amount) * (unit === 's' ? 1000 : 1);
}
