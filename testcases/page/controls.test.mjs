// Buttons, machines and displays: who made them, how long they stay, and what pressing them costs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { behind } from './behind.mjs';
import { Proxy } from './proxy.mjs';
import { Stage, becomes } from './stage.mjs';

const stage = new Stage({ wordPause: 1 });
before(() => stage.open());
after(() => stage.close());

test('a machine\'s button is a turn of one frame that calls no model, and its state survives a reload', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('make a traffic light');
    const machine = page.locator('.group[data-machine]');
    const state = await machine.locator('.machine-name b').innerText();
    await machine.locator('.control').first().click();
    await page.waitForFunction((known) => document.querySelector('.machine-name b').innerText !== known, state);
    const turn = page.locator('.turn').nth(1);
    await visitor.ended(turn);
    assert.match(await visitor.footer(turn), /^machine · 1 frame · /);
    const trace = await visitor.lastTrace();
    assert.deepEqual([trace.path, trace.total_frames], ['machine', 1]);
    assert.deepEqual(trace.frames.flatMap(({ calls }) => calls), []);
    assert.deepEqual(trace.background, []);
    const shown = await page.locator('.controls').innerText();
    const [pressed, footer] = [await turn.locator('.pressed').innerText(), await visitor.footer(turn)];
    await visitor.reload();
    await becomes(() => page.locator('.controls').innerText(), shown);
    await visitor.ended(turn);
    assert.deepEqual([await turn.locator('.pressed').innerText(), await visitor.footer(turn)], [pressed, footer]);
    assert.equal(await page.locator('.turn').count(), 2);
  }));

test('an answer\'s buttons make place for the next answer\'s, a machine\'s stay', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('make a traffic light');
    await visitor.ask('give me two buttons, red and blue');
    const ours = page.locator('.group:not([data-machine]) .control');
    const machines = page.locator('.group[data-machine] .control');
    await ours.nth(1).waitFor();
    assert.deepEqual((await ours.allInnerTexts()).map((label) => label.toLowerCase()), ['red', 'blue']);
    const kept = await machines.allInnerTexts();
    assert.ok(kept.length > 0);

    await visitor.reload();
    await ours.nth(1).waitFor();
    await becomes(() => machines.allInnerTexts(), kept);

    await visitor.ask('why is the sky blue?');
    await page.waitForFunction(() => !document.querySelector('.group:not([data-machine]) .control'));
    await becomes(() => machines.allInnerTexts(), kept);
    await visitor.reload();
    await machines.first().waitFor();
    assert.equal(await ours.count(), 0);
  }));

test('what changed while the connection was gone is there when it is back, and can be used', () =>
  behind(stage, new Proxy(stage.address, true), {}, async (visitor, page, proxy) => {
    await visitor.ask('make a traffic light');
    await visitor.ask('give me two buttons, red and blue');
    const shown = page.locator('.controls');
    const machine = page.locator('.group[data-machine]');
    await page.getByRole('button', { name: /^blue$/i }).waitFor();
    await machine.waitFor();
    const before = await shown.innerText();
    proxy.freeze();
    const other = await page.context().newPage();
    await other.goto(visitor.url().replace(proxy.address, stage.address));
    await other.locator('.group[data-machine] .control').first().click();
    await other.waitForFunction((known) => document.querySelector('.controls').innerText !== known, before);
    await other.close();
    assert.equal(await shown.innerText(), before, 'nothing can have arrived');
    proxy.cut('end');
    await page.waitForFunction((known) => document.querySelector('.controls').innerText !== known, before);
    assert.match(await shown.innerText(), /red[^]*blue/i);
    const state = await visitor.read('/api/state');
    const current = state.machines[0].current.replace('_', ' ');
    await becomes(() => machine.locator('.machine-name b').innerText(), current);
    await machine.locator('.control').first().click();
    await page.waitForFunction((known) => document.querySelector('.machine-name b').innerText !== known, current);
  }));

test('an answer\'s button begins a turn that says what was pressed', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('give me two buttons, red and blue');
    await page.getByRole('button', { name: /^red$/i }).click();
    const turn = page.locator('.turn').nth(1);
    await visitor.ended(turn);
    assert.match(await turn.locator('.pressed').innerText(), /red/i);
    assert.match(await visitor.footer(turn), /^action · 3 frames · /);
  }));

test('a chart is drawn, and can be read as a table', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('show me a chart');
    const chart = page.locator('.display.chart').first();
    await chart.locator('svg :is(rect, circle)').nth(1).waitFor();
    await chart.locator('summary').click();
    await chart.locator('tbody tr').nth(1).waitFor();
    await visitor.picture('chart');
  }));

test('a table is drawn with its columns and rows', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('show me a table');
    const table = page.locator('.display.table, .answer').locator('table').first();
    await table.locator('th').nth(1).waitFor();
    await table.locator('tbody tr').nth(1).waitFor();
  }));
