// The panel Tests: suites are started, each check is seen as it ends, what failed can be looked into, and a run is compared with
// the one before.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { difference } from '../../static/difference.js';
import { failures, grouped, total } from '../../static/results.js';
import { changes, keepRun, runs } from '../../static/test-history.js';
import { behind } from './behind.mjs';
import { Nginx } from './nginx.mjs';
import { SLOW, Stage, becomes, binary, dark, phone } from './stage.mjs';

const RIGHT = `# All is right

- graph: v3-framed
- clear

## 1. A greeting
- send: hello
- expect path: reflex
- expect frames: == 2

## 2. A question
- send: why is the sky blue?
- expect path: director
- expect response: contains light
`;
const WRONG = `# Two are wrong
On purpose.

- graph: v3-framed

## 1. A greeting
- clear
- send: hello
- expect path: director
- expect frames: == 2
- expect response: is "Hello, my friend!"
- expect time: < 60000 ms
`;
const LONG = `# A long one

- graph: v3-framed

## 1. A story
- send: tell me a long story
- expect path: director

## 2. A greeting
- send: hello
- expect path: reflex
`;

const folder = await mkdtemp(join(tmpdir(), 'framewright-suites-'));
const flags = ['--tests', '--suites', folder];
const stage = new Stage({ wordPause: 40, flags });
const slow = new Stage({ ...SLOW, flags });
const closed = new Stage();
before(async () => {
  for (const [name, text] of Object.entries({ right: RIGHT, wrong: WRONG, long: LONG, broken: '# Broken\n\n## 1.\n- sned: hello\n' })) {
    await writeFile(join(folder, `${name}.md`), text);
  }
  await Promise.all([stage.open(), slow.open(), closed.open()]);
});
after(async () => {
  await Promise.all([stage.close(), slow.close(), closed.close()]);
  await rm(folder, { recursive: true, force: true });
});

test('one window starts all suites, another sees each check as it falls, and opens the trace of one that failed', () =>
  stage.visit({}, async (visitor, page) => {
    const other = await page.context().newPage();
    await other.goto(`${stage.address}/?session=looks-on#/tests`);
    await suite(other, 'right').waitFor();
    await open(page);
    await suite(page, 'right').getByText('All is right').waitFor();
    assert.match(await suite(page, 'right').innerText(), /All is right[^]*right\.md · 2 steps · 4 checks/);
    assert.match(await suite(page, 'broken').innerText(), /broken\.md:4: /);
    assert.equal(await page.getByRole('button', { name: 'Run broken' }).count(), 0);
    await start(page, 'Run all');

    // Seen before the end.
    await other.locator('.tests:has(.progress-of-tests[data-running=true]) .check[data-kind=passed]').first().waitFor();
    for (const window of [page, other]) {
      await ended(window);
      assert.match(await window.locator('.tally').innerText(), /^10 of 10\s+7 passed\s+2 failed\s+1 reported/);
    }

    const wrong = suite(other, 'wrong');
    assert.equal(await wrong.locator('.step-head').getAttribute('aria-expanded'), 'true', 'what failed lies open');
    assert.equal(await suite(other, 'right').locator('.step-head[aria-expanded=true]').count(), 0, 'what passed is folded');
    const [path, response] = [wrong.locator('.check', { hasText: 'path: director' }), wrong.locator('.check', { hasText: 'response: is' })];
    assert.deepEqual([await path.locator('del').innerText(), await path.locator('ins').innerText()], ['director', 'reflex']);
    assert.match(await response.locator('del').first().innerText(), /friend/);
    assert.match(await path.innerText(), /✗ failed[^]*wrong\.md:9 · path reflex · 2 frames/);

    const [opened] = await Promise.all([page.context().waitForEvent('page'), path.getByRole('link', { name: 'Open the trace' }).click()]);
    await opened.locator('.trace-message', { hasText: 'hello' }).waitFor();
    assert.match(opened.url(), /\?session=test-wrong-[\w-]+#\/turn\/msg_\d+$/);
    assert.equal(await opened.evaluate(() => globalThis.opener), null);
    assert.match(await opened.locator('.drawer').innerText(), /reflex/);
  }));

test('results are still there after a reload; only what failed can be shown', () =>
  stage.visit({}, async (visitor, page) => {
    await open(page);
    await start(page, 'Run wrong');
    await ended(page);
    const shown = await page.locator('.suite[data-suite=wrong] .check').allInnerTexts();
    assert.equal(shown.length, 4);
    await visitor.reload();
    await becomes(() => page.locator('.suite[data-suite=wrong] .check').allInnerTexts(), shown);
    await page.getByLabel('Failed only').check();
    await page.locator('.check[data-kind=passed]').waitFor({ state: 'detached' });
    await becomes(() => page.locator('.check').count(), 2);
    assert.match(await suite(page, 'wrong').locator('.suite-head').innerText(), /Two are wrong\s+[^]*wrong\.md · 1 step · 3 checks[^]*Run/);
    assert.equal(await page.locator('.suite').count(), 1, 'what did not fail is not offered');
    await page.locator('.step-head').click();
    await becomes(() => page.locator('.check').count(), 0, 'a step can be folded');
  }));

test('what failed is run again by itself', () =>
  stage.visit({}, async (visitor, page) => {
    await open(page);
    await start(page, 'Run all');
    await ended(page);
    await start(page, 'Run failed');
    await ended(page);
    assert.match(await page.locator('.tally').innerText(), /^4 of 4/);
    await becomes(() => suite(page, 'right').locator('.step').count(), 0, 'it is offered, and has no results in this run');
  }));

test('a suite is watched while it runs: its conversation, and the graph that lights up', () =>
  slow.visit({}, async (visitor, page) => {
    await open(page);
    await start(page, 'Run long');
    const watch = suite(page, 'long').getByRole('link', { name: 'Watch' });
    const [watched] = await Promise.all([page.context().waitForEvent('page'), watch.click()]);
    await watched.locator('.nodes [data-node=output][data-state=running]').waitFor();
    assert.match(watched.url(), /\?session=test-long-[\w-]+#\/graph$/);
    await watched.locator('.question', { hasText: 'tell me a long story' }).waitFor();
    await drawnAs(watched, 'director', 'done');
    await watched.locator('.question', { hasText: 'hello' }).waitFor();
    await watched.locator('.paths [aria-current]', { hasText: 'reflex' }).waitFor();
    await drawnAs(watched, 'director', 'idle');
    await ended(page, slow);
    await watch.waitFor({ state: 'detached' });
  }));

test('while suites are played none can be started, and a refusal is shown', () => {
  const prepare = (page) =>
    page.route('**/api/tests/run*', (route) => route.fulfill({ status: 409, json: { detail: 'suites are being played already: wait for their end' } }));
  return slow.visit({ prepare, tolerates: /status of 409/ }, async (visitor, page) => {
    await open(page);
    await page.getByRole('button', { name: 'Run right' }).click();
    await suite(page, 'right').getByText('suites are being played already').waitFor();
    await page.unroute('**/api/tests/run*');
    await start(page, 'Run long');
    const isOff = (name, off) => page.locator(`button[aria-disabled=${off}]`).and(page.getByRole('button', { name })).waitFor();
    await suite(page, 'long').getByRole('button', { name: 'Running …' }).waitFor();
    await isOff('Run all', true);
    await isOff('Run right', true);
    await ended(page, slow);
    await isOff('Run right', false);
  });
});

test('a runner that was killed blocks nothing, and its silence is told', () =>
  slow.visit({ prepare: (page) => page.clock.install() }, async (visitor, page) => {
    await open(page);
    const runner = spawn(binary, ['test', join(folder, 'long.md'), '--url', slow.address], { stdio: 'ignore' });
    await suite(page, 'long').locator('h3 .sign[data-kind=running]').waitFor();
    runner.kill('SIGKILL');
    await page.clock.fastForward(20_000);
    await page.getByText('the runner may be gone').waitFor();
    const signs = await suite(page, 'long').locator('h3 .sign').evaluateAll((all) => all.map((sign) => sign.dataset.kind));
    assert.deepEqual(signs, ['unended'], 'neither running nor passed');
    await start(page, 'Run right');
    await ended(page, slow);
    assert.match(await page.locator('.tally').innerText(), /^4 of 4\s+4 passed/);
  }));

test('a suite and its step are passed only when they have ended, and a failure that there is not is not red', () =>
  closed.visit({}, async (visitor, page) => {
    await open(page);
    const result = (step) => ({ event: 'step_result', result: { suite: 'slow', step, check: 'c', status: 'PASS', file: 'elsewhere/slow.md', elapsed_ms: 1 } });
    const signs = () => suite(page, 'slow').locator('h3 .sign, .step-head .sign').evaluateAll((all) => all.map((sign) => sign.dataset.kind).join(' '));
    for (const [body, wanted] of [
      [{ event: 'suite_start', suite: 'slow', count: 3 }, ''],
      [result('1.'), 'running running'],
      [result('2.'), 'running passed running'],
      [{ event: 'suite_start', suite: 'other' }, 'running passed running'],
      [{ event: 'suite_end', suite: 'slow' }, 'passed passed passed'],
      [{ event: 'suite_end', suite: 'other' }, 'passed passed passed'],
    ]) {
      await report(closed, body);
      await becomes(signs, wanted, `after ${body.event}`);
    }
    assert.equal(await suite(page, 'slow').locator('.facts').first().innerText(), 'elsewhere/slow.md · 2\u00a0ms');
    const colours = await page.locator('.tally span').evaluateAll((all) => all.map((one) => getComputedStyle(one).color));
    assert.equal(colours[1], await page.locator('.current').evaluate((one) => getComputedStyle(one).color));
  }));

test('a server that was started anew shows the run that it keeps', async () => {
  const other = new Stage({ flags: ['--tests', '--suites', folder] });
  await other.open();
  try {
    const { host } = new URL(other.address);
    await other.visit({ tolerates: /ERR_CONNECTION|WebSocket/ }, async (visitor, page) => {
      await open(page);
      await start(page, 'Run wrong');
      await ended(page, other);
      await other.stopServer();
      await other.startServer(host);
      await visitor.reload();
      await page.locator('.tally', { hasText: '4 of 4' }).waitFor();
      await page.waitForTimeout(500);
      assert.match(await page.locator('.tests').innerText(), /4 of 4\s+1 passed\s+2 failed/, 'also once the socket has said that nothing was reported');
    });
  } finally {
    await other.close();
  }
});

test('results that lay in the folder are not shown as if they were one’s own, until that is wanted', async () => {
  const other = new Stage({ flags: ['--tests', '--suites', folder] });
  await other.open();
  try {
    const { host } = new URL(other.address);
    await other.visit({}, async (visitor, page) => {
      await open(page);
      await start(page, 'Run wrong');
      await ended(page, other);
    });
    await other.stopServer();
    await other.startServer(host);
    await other.visit({}, async (visitor, page) => {
      await open(page);
      await page.locator('.left', { hasText: 'the results of 3 checks from an earlier run' }).waitFor();
      assert.deepEqual([await page.locator('.tally').count(), await page.locator('.check').count()], [0, 0]);
      await suite(page, 'wrong').waitFor();
      await visitor.finds('results of somebody else');
      await visitor.picture('tests-left');
      await page.getByRole('button', { name: 'Show the results' }).click();
      await page.locator('.tally', { hasText: '4 of 4' }).waitFor();
      assert.equal(await page.locator('.left').count(), 0);
    });
  } finally {
    await other.close();
  }
});

test('a run is compared with the one before: what failed newly, what was fixed, when both were and how long they took', () =>
  stage.visit({}, async (visitor, page) => {
    const file = join(folder, 'changing.md');
    const text = (path, frames) => `# It changes\n\n## 1. A greeting\n- send: hello\n- expect path: ${path}\n- expect frames: == ${frames}\n\n## 2. Another\n- send: hello\n- expect path: reflex\n`;
    try {
      await writeFile(file, text('director', 2));
      await open(page);
      await start(page, 'Run changing');
      await ended(page);
      const times = page.locator('.times');
      await becomes(async () => /\d.* · took .*\d/.test(await times.innerText()), true);
      assert.equal(await page.locator('.since, .change').count(), 0, 'nothing was before');
      await start(page, 'Run changing');
      await ended(page);
      await page.locator('.since', { hasText: 'the same outcome' }).waitFor();

      // The name of a check is its text.
      await writeFile(file, text('director', 3));
      await start(page, 'Run changing');
      await ended(page);
      await page.locator('.since', { hasText: '1 newly failed' }).waitFor();
      await page.locator('.check[data-kind=failed]', { hasText: 'frames' }).locator('.change', { hasText: 'new' }).waitFor();
      assert.equal(await page.locator('.change').count(), 1);
      await page.locator('.runs summary', { hasText: '3 runs' }).click();
      await becomes(() => page.locator('.runs tbody tr').count(), 3);
      assert.match(await page.locator('.runs tbody tr').first().innerText(), /changing\s+1 passed · 2 failed$/);
      await visitor.finds('the runs');
      await visitor.picture('tests-runs');
      await visitor.reload();
      await page.locator('.since', { hasText: '1 newly failed' }).waitFor();
    } finally {
      await rm(file);
    }
  }));

test('what failed stands first', () =>
  closed.visit({}, async (visitor, page) => {
    await open(page);
    await report(closed, { event: 'suite_start', suite: 'good', count: 4 });
    const result = (name, step, status) => ({ event: 'step_result', result: { suite: name, step, check: 'c', status, elapsed_ms: 1, session: 'test-order' } });
    await report(closed, result('good', '1.', 'PASS'));
    await report(closed, { event: 'suite_start', suite: 'bad' });
    for (const [step, status] of [['1.', 'PASS'], ['2.', 'FAIL'], ['3.', 'PASS']]) await report(closed, result('bad', step, status));
    const order = () => page.locator('.suite').evaluateAll((all) => all.map((one) => [one.dataset.suite, [...one.querySelectorAll('.step-name')].map((step) => step.textContent).join('')].join(' ')));
    await becomes(order, ['good 1.', 'bad 1.2.3.'], 'while it runs nothing moves');
    await report(closed, { event: 'suite_end', suite: 'good' });
    await report(closed, { event: 'suite_end', suite: 'bad' });
    await becomes(order, ['bad 2.1.3.', 'good 1.']);
  }));

test('a run that was cut off with its server is shown as one, to who was there and to who comes later', () =>
  stage.visit({ tolerates: /WebSocket connection|Failed to load resource/ }, async (visitor, page) => {
    const file = join(folder, 'cut.md');
    // Long enough to be cut off, however slow this machine is to look.
    const stories = Array.from({ length: 20 }, (_, n) => `## ${n + 2}. A story\n- send: tell me a long story\n- expect path: director\n`);
    await writeFile(file, `# A long one\n\n## 1. A greeting\n- send: hello\n- expect path: reflex\n\n${stories.join('\n')}`);
    await open(page);
    await start(page, 'Run cut');
    // What the page shows may still be of the run before.
    const first = async () => (await (await fetch(`${stage.address}/api/test/status`)).json()).results?.find((result) => result.suite === 'cut');
    await becomes(async () => Boolean(await first()), true);
    await turnOf((await first()).session, 'msg_2');
    // Results are written at most once a second; what was not written yet ends with the server.
    await becomes(async () => (await (await fetch(`${stage.address}/api/tests`)).json()).results?.length >= 1, true);
    const gone = new Promise((resolve) => stage.server.once('exit', resolve));
    stage.server.kill('SIGKILL');
    await gone;
    await rm(file);
    await visitor.connectedBy('lost');
    await stage.startServer(new URL(stage.address).host);
    const cut = page.getByText('The run was cut off when the server ended');
    await visitor.connectedBy('open');
    await page.waitForTimeout(1000);
    assert.equal(await cut.count(), 1, 'what the socket greets with hides nothing');
    await visitor.reload();
    await cut.waitFor();
    assert.match(await page.locator('.tally').innerText(), /^(\d+) of 21\s+\1 passed/);
    await start(page, 'Run right');
    await ended(page);
    assert.equal(await cut.count(), 0);
  }));

test('where there is no suite it is said where they were looked for', async () => {
  const nowhere = new Stage({ flags: ['--tests', '--suites', 'not-there'] });
  await nowhere.open();
  try {
    await nowhere.visit({}, async (visitor, page) => {
      await open(page);
      await page.locator('.disabled', { hasText: 'There is no suite in not-there. Name another folder with --suites' }).waitFor();
      assert.equal(await page.getByRole('button', { name: /^Run/ }).count(), 0);
      await visitor.picture('tests-nowhere');
    });
  } finally {
    await nowhere.close();
  }
});

test('a server that allows no starting says how, and shows what is reported to it', () =>
  closed.visit({}, async (visitor, page) => {
    await open(page);
    await page.locator('.disabled', { hasText: '--tests' }).waitFor();
    assert.equal(await page.getByRole('button', { name: /^Run/ }).count(), 0);
    await report(closed, { event: 'suite_start', suite: 'elsewhere', count: 3, session: 'test-elsewhere-1', checks: 3 });
    const watch = await suite(page, 'elsewhere').count();
    assert.equal(watch, 0, 'a suite without results is not listed yet');
    await report(closed, { event: 'step_result', result: { suite: 'elsewhere', step: '1. <b>A</b>', check: 'expect frames: == 2', status: 'PASS', elapsed_ms: 1.25 } });
    await page.locator('.check[data-kind=passed]').waitFor();
    await becomes(() => page.locator('.step-name').innerText(), '1. <b>A</b>');
    assert.match(await page.locator('.tally').innerText(), /^1 of 3/);
    await report(closed, { event: 'step_result', result: { suite: 'elsewhere', step: '2.', check: 'send: x', status: 'SKIP', detail: 'nobody knows', elapsed_ms: 0 } });
    await page.locator('.check[data-kind=skipped]', { hasText: 'nobody knows' }).waitFor();
    await report(closed, { event: 'step_result', result: { suite: 'elsewhere', step: '2.', check: 'expect x', status: 'FLAKY', detail: 'at times', elapsed_ms: 0 } });
    await page.locator('.check[data-kind=unknown]', { hasText: 'does not know the status “FLAKY”' }).waitFor();
    assert.match(await page.locator('.tally').innerText(), /1 passed.*0 failed.*1 skipped.*1 unknown/s);
    await report(closed, { event: 'suite_end', suite: 'elsewhere' });
    await page.getByText('The run ended; 1 check has a status that this page does not know.').waitFor();
  }));

test('thousands of results are counted to the last one, and few of them are drawn', () =>
  closed.visit({}, async (visitor, page) => {
    await open(page);
    const many = 2400;
    await report(closed, { event: 'suite_start', suite: 'large', count: many, session: 's' });
    for (let number = 0; number < many; number += 1) {
      const status = number % 2 === 0 ? 'FAIL' : 'PASS';
      await report(closed, { event: 'step_result', result: { suite: 'large', step: `${number % 800}.`, check: `expect ${number}`, status, detail: 'because', elapsed_ms: 1, line: number } });
    }
    await report(closed, { event: 'suite_end', suite: 'large' });
    await page.waitForFunction((text) => document.querySelector('.tally')?.innerText.startsWith(text), `${many} of ${many}`);
    await ended(page, closed);
    assert.ok((await page.locator('.check').count()) <= 60 * 60);
    await becomes(() => page.locator('.step').count(), 60);
    await page.getByRole('button', { name: 'Show 60 more of 740 steps' }).click();
    await becomes(() => page.locator('.step').count(), 120);
    await visitor.reload();
    await page.waitForFunction((text) => document.querySelector('.tally')?.innerText.startsWith(text), `${many} of ${many}`);
  }));

for (const [name, options] of [
  ['light', {}],
  ['dark', dark],
  ['phone', phone],
  ['phone-dark', { ...phone, ...dark }],
]) {
  test(`${name}: axe finds nothing, and nothing is wider than the window`, () =>
    stage.visit(options, async (visitor, page) => {
      await open(page);
      await start(page, 'Run all');
      await page.locator('.progress-of-tests[data-running=true]').waitFor();
      await visitor.finds('a run');
      await ended(page);
      await page.locator('.step-head[aria-expanded=false]').first().click();
      await page.locator('.check[data-kind=passed]').first().waitFor();
      await visitor.finds('results');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await becomes(() => page.evaluate(() => document.querySelector('.drawer-body').scrollWidth <= document.querySelector('.drawer-body').clientWidth), true);
      await visitor.picture(`tests-${name}`);
    }));
}

test('behind a proxy that upgrades nothing the results come with the event stream', () =>
  behind(stage, new Nginx(stage.address, 'plain'), {}, async (visitor, page) => {
    await visitor.connectedBy('stream');
    await open(page);
    await start(page, 'Run long');
    await page.locator('.progress-of-tests[data-running=true]').waitFor();
    await ended(page);
    assert.match(await page.locator('.tally').innerText(), /^2 of 2\s+2 passed/);
  }));

// --- the pure parts

test('a difference marks what the rule makes worth a mark', () => {
  const drawn = (pieces) => pieces.map(({ text, isMarked }) => (isMarked ? `[${text}]` : text)).join('');
  for (const [expected, got, wanted] of [
    ['path: director', '"reflex"', ['path: [director]', '"[reflex]"']],
    ['response: is "Hello, my friend"', '"Hello, my dear friend"', ['response: is "Hello, my friend"', '"Hello, my [dear] friend"']],
    ['state: language is de', '"en"', ['state: language is [de]', '"[en]"']],
    ['response: contains "hello" or bye', 'Hello Ada', ['response: contains "hello" or [bye]', 'Hello Ada']],
    ['response: not contains sunlight', 'The sunlight of all', ['response: not contains sunlight', 'The [sunlight] of all']],
    ['actions: has red and blue', 'Green, Blue', ['actions: has [red] and blue', 'Green, Blue']],
    ['frames: == 4', '5', ['frames: == [4]', '[5]']],
    ['time: < 500 ms', '812 ms', ['time: < [500 ms]', '[812 ms]']],
    ['calls: llm == 2', '3', ['calls: llm == [2]', '[3]']],
    ['response: length > 100', '"short"', ['response: length > 100', '"short"']],
    ['response: matches /light/', 'dark', ['response: matches /light/', 'dark']],
    ['one two', 'one three', ['one [two]', 'one [three]']],
    [`is it`, 'x '.repeat(40), ['is it', 'x '.repeat(40)]],
    ['a', '', ['[a]', '']],
    ['x '.repeat(5000), 'x', ['x '.repeat(5000), 'x']],
  ]) {
    const { expected: one, got: other } = difference(expected, got);
    assert.deepEqual([drawn(one), drawn(other)], wanted, expected.slice(0, 60));
  }
});

test('results are put in order by suite and step; what is only reported does not count', () => {
  const result = (suite, step, status, reported) => ({ suite, step, check: 'c', status, elapsed_ms: 2, session: `of-${suite}`, reported });
  const suites = grouped([result('a', '1', 'PASS'), result('b', '1', 'FAIL'), result('a', '2', 'SKIP'), result('a', '1', 'FAIL', true), result('b', '2', 'PASS'), result('b', '2', 'FLAKY'), result('b', '2', 'constructor')]);
  assert.deepEqual(suites.map(({ name, session, steps, elapsed_ms: ms }) => [name, session, steps.map((step) => [step.name, step.results.length]), ms]), [
    ['a', 'of-a', [['1', 2], ['2', 1]], 6],
    ['b', 'of-b', [['1', 1], ['2', 3]], 8],
  ]);
  assert.deepEqual(total(suites), { passed: 2, failed: 1, skipped: 1, unknown: 2, reported: 1 });
  assert.deepEqual(failures(suites).map(({ name, steps }) => [name, steps.map((step) => step.name)]), [['b', ['1']]]);
});

test('so many runs are remembered and no more, and a suite is compared with the last run that it was in', () => {
  const result = (run, suite, check, status) => ({ suite, step: '1', check, status, session: `of-${run}` });
  for (let run = 1; run <= 30; run += 1) keepRun([result(run, 'a', 'c', 'FAIL'), ...Array.from({ length: 300 }, (_, at) => result(run, 'b', `c${at}`, 'FAIL'))], { began: run, ended: run + 5 });
  assert.deepEqual(runs.value.map(({ id }) => id), Array.from({ length: 20 }, (_, at) => `of-${30 - at}`));
  assert.ok(runs.value.every(({ failed, counts }) => failed.length === 200 && counts.failed === 301));
  assert.equal(changes([result(31, 'a', 'c', 'PASS')]).before, undefined, 'not all that failed is known of those');

  keepRun([result(32, 'a', 'c', 'FAIL'), result(32, 'a', 'd', 'PASS')], { began: 1, ended: 2 });
  keepRun([result(33, 'z', 'c', 'PASS')], { began: 3, ended: 4 });
  const now = [result(34, 'a', 'c', 'PASS'), result(34, 'a', 'd', 'FAIL'), result(34, 'new', 'c', 'FAIL')];
  keepRun(now, { began: 5 });
  const { before, broken, fixed } = changes(now);
  assert.deepEqual([before.id, [...broken], [...fixed]], ['of-32', ['a\n1\nd'], ['a\n1\nc']]);
  assert.deepEqual([runs.value[0].began, runs.value[0].ended], [5, undefined]);
  keepRun(now, { ended: 9 });
  assert.deepEqual([runs.value[0].began, runs.value[0].ended], [5, 9]);
  keepRun([{ ...now[0], session: undefined }], { ended: 10 });
  assert.equal(runs.value[0].id, 'of-34', 'a run without a name is not remembered');
});

// --- hands

async function open(page) {
  await page.evaluate(() => (location.hash = '#/tests'));
  await page.locator('.tests').waitFor();
}

function suite(page, name) {
  return page.locator(`.suite[data-suite=${name}]`);
}

/** Starts a run and waits until the server has taken it. */
async function start(page, name) {
  const taken = page.waitForResponse(/\/api\/tests\/run/);
  await page.getByRole('button', { name, exact: true }).click();
  assert.equal((await taken).status(), 200);
}

/** The run is over on the server, and the page shows all of it. */
async function ended(page, on = stage) {
  const read = async (path) => (await fetch(`${on.address}${path}`)).json();
  while ((await read('/api/tests/suites')).running || (await read('/api/test/status')).running) await new Promise((resolve) => setTimeout(resolve, 50));
  const { results } = await read('/api/test/status');
  await page.locator('.progress-of-tests[data-running=false]').waitFor();
  await page.waitForFunction((count) => document.querySelector('.tally').innerText.startsWith(`${count} of ${count}`), results.length);
}

/** Waits until a turn of a session has begun. */
async function turnOf(session, id) {
  const read = async () => (await fetch(`${stage.address}/api/result?session=${session}`)).json();
  while ((await read()).id !== id) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Waits until the drawing shows a node in this state. */
function drawnAs(page, name, state) {
  return page.waitForFunction(
    ([id, wanted]) => {
      const one = document.querySelector('.drawing')?._cyreg?.cy.getElementById(id);
      return one && (['running', 'done', 'error', 'stopped'].find((known) => one.hasClass(known)) ?? 'idle') === wanted;
    },
    [name, state],
  );
}

async function report(to, body) {
  const response = await fetch(`${to.address}/api/test/status`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.text());
}
