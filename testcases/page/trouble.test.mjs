// What the panel Trace shows of a server in trouble: calls that wait for a worker, and calls that fail.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes } from './stage.mjs';

const crowded = new Stage({ wordPause: 60, flags: ['--workers', '1'] });
const hasty = new Stage({ wordPause: 150, flags: ['--call-ms', '900'] });
before(() => Promise.all([crowded.open(), hasty.open()]));
after(() => Promise.all([crowded.close(), hasty.close()]));

test('the time that a call waited for a worker is drawn apart, and told', () =>
  crowded.visit({}, async (visitor, page) => {
    const other = Object.assign(Object.create(Object.getPrototypeOf(visitor)), visitor, { session: `${visitor.session}-other` });
    await visitor.open('trace');
    await other.send('/api/send', { text: 'tell me a long story' });
    await visitor.ask('why is the sky blue?');
    const trace = await visitor.wholeTrace();
    const calls = [...trace.frames.flatMap((frame) => frame.calls), ...trace.background];
    const waited = calls.filter((call) => call.waited_ms > call.duration_ms / 100);
    assert.ok(waited.some((call) => call.waited_ms > 100), 'one call had to wait');
    await becomes(() => page.locator('.drawer .call i[data-kind=waiting]').count(), waited.length);
    const longest = waited.reduce((one, call) => (call.waited_ms > one.waited_ms ? call : one));
    const [waiting, working] = await page.locator('.drawer .call').nth(calls.indexOf(longest)).locator('.track i').evaluateAll((bars) => bars.map((bar) => [bar.dataset.kind, Number.parseFloat(bar.style.width)]));
    assert.deepEqual([waiting[0], working[0]], ['waiting', 'llm']);
    const part = waiting[1] / (waiting[1] + working[1]);
    assert.ok(Math.abs(part - longest.waited_ms / longest.duration_ms) < 0.02, `${part} of the bar`);
    await page.getByRole('button', { name: 'Table' }).click();
    const row = page.locator('.trace-table tbody tr:has(.of-call)').nth(calls.indexOf(longest));
    assert.match(await row.locator('td').nth(2).innerText(), /\d\s(ms|s)$/);
    await page.getByRole('button', { name: 'Waterfall' }).click();
    await visitor.picture('cockpit-waiting');
    await visitor.finds('calls that waited');
  }));

test('a turn that failed says why, live and read anew, and which call it was', () =>
  hasty.visit({}, async (visitor, page) => {
    await visitor.open('trace');
    await visitor.say('tell me a long story');
    const why = page.locator('.trace .failure');
    await why.waitFor();
    const { detail } = await visitor.read('/api/result');
    await becomes(() => why.innerText(), detail);
    await page.locator('.drawer .call[data-status=error] .bad').waitFor();
    await page.locator('.summary-line', { hasText: 'failed' }).waitFor();
    await visitor.reload();
    await page.locator('.trace[aria-busy=false]').waitFor();
    await becomes(() => why.innerText(), detail);
    await visitor.picture('cockpit-error');
    await visitor.finds('a trace with an error');
  }));
