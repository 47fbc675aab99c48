// What waits for a person's approval: shown in full and as text, answered with a button, there again after a reload and a restart.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Stage, becomes } from './stage.mjs';

const folder = await mkdtemp(join(tmpdir(), 'framewright-graphs-'));
const stage = new Stage({ wordPause: 1, flags: ['--graphs', folder, '--graph', 'v4-eras'] });
before(async () => {
  await marked('v4-eras', '"tools": ["describe", "query"]', '"tools": ["describe", {"name": "query", "approve": {"expires": "1h"}}]');
  await marked('v1-direct', '"kind": "agent",', '"kind": "agent", "approve": true,');
  await stage.open();
});
after(async () => {
  await stage.close();
  await rm(folder, { recursive: true, force: true });
});

/** Writes a built-in graph with a mark in it. */
async function marked(name, from, to) {
  const graph = await readFile(new URL(`../../graphs/${name}.json`, import.meta.url), 'utf8');
  assert.ok(graph.includes(from));
  await writeFile(join(folder, `${name}.json`), graph.replace(from, to));
}

const calls = ({ frames }) => frames.flatMap((frame) => frame.calls);

test('a query waits until it is approved, over a reload and a restart, and is then made as it was shown', () =>
  stage.visit({ tolerates: /ERR_CONNECTION_REFUSED|Failed to load resource|WebSocket/ }, async (visitor, page) => {
    await visitor.say('wie viele Kunden haben wir?');
    const approval = page.locator('.approval');
    await approval.waitFor();
    assert.match(await approval.locator('.label').innerText(), /^eras wants to call query on eras2_production\. Waits for your approval until /);
    const sql = await approval.locator('pre').innerText();
    assert.match(sql, /^SELECT [^]*kunden/i);
    assert.deepEqual(await approval.getByRole('button').allInnerTexts(), ['Approve', 'Decline']);
    await visitor.picture('approval');
    await visitor.finds('an approval');
    await visitor.reload();
    await becomes(() => approval.locator('pre').innerText(), sql);
    const { host } = new URL(stage.address);
    await stage.stopServer();
    await stage.startServer(host);
    await visitor.connected();
    await becomes(() => approval.locator('pre').innerText(), sql);
    await approval.getByRole('button', { name: 'Approve' }).click();
    const turn = page.locator('.turn').first();
    await visitor.ended(turn);
    assert.equal(await approval.count(), 0);
    const trace = await visitor.lastTrace();
    const made = calls(trace).map(({ label }) => label);
    assert.deepEqual([made.filter((label) => label === 'expert plan').length, made.indexOf('query') - made.indexOf('approve query')], [1, 1]);
    assert.equal(calls(trace).find(({ kind }) => kind === 'approval').decided.verdict, 'approved');
  }));

test('what is declined is not done, and the answer says so', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.say('wie viele Kunden haben wir?');
    await page.locator('.approval').getByRole('button', { name: 'Decline' }).click();
    const turn = page.locator('.turn').first();
    await visitor.ended(turn);
    assert.match(await turn.innerText(), /Dafür braucht es eine Freigabe, und sie wurde abgelehnt/);
    assert.equal(await page.locator('.approval').count(), 0);
    const { degraded } = await visitor.lastTrace();
    assert.match(degraded, /approval_declined/);
  }));

test('what is to be approved is text, whatever stands in it, and a stop takes it away', () =>
  stage.visit({}, async (visitor, page) => {
    await fetch(new URL(`/api/graph/switch?session=${visitor.session}`, visitor.address), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'v1-direct' }),
    });
    const evil = '<img src="x" onerror="alert(1)"> **bold** <script>alert(2)</script>';
    await visitor.say(evil);
    const approval = page.locator('.approval');
    await approval.waitFor();
    assert.match(await approval.locator('.label').innerText(), /^agent wants to start\. /);
    assert.ok((await approval.locator('pre').innerText()).includes(evil));
    assert.equal(await approval.locator('img, script, strong').count(), 0);
    await page.getByRole('button', { name: /stop/i }).first().click();
    await visitor.ended(page.locator('.turn').first());
    assert.equal(await approval.count(), 0);
  }));
