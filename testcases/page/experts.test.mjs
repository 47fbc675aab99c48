// A German question to the database expert: the answer with its progress, its rows and where they come from.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes } from './stage.mjs';

const stage = new Stage({ wordPause: 20 });
before(() => stage.open());
after(() => stage.close());

const databaseCalls = ({ frames }) => frames.flatMap(({ calls }) => calls).filter(({ kind }) => kind === 'db').map(({ label }) => label);

test('a German question is answered with progress that a reload brings back, a chart and a table, and the second one describes nothing', () =>
  stage.visit({}, async (visitor, page) => {
    await fetch(new URL(`/api/graph/switch?session=${visitor.session}`, visitor.address), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'v4-eras' }),
    });
    await visitor.say('zeig mir den Verbrauch pro Monat 2023');
    const turn = page.locator('.turn').first();
    await visitor.ended(turn);
    assert.match(await visitor.footer(turn), /^expert\+interpreter · 5 frames · /);
    const first = databaseCalls(await visitor.lastTrace());
    assert.ok(first.some((label) => label === 'describe verbraeuche') && first.at(-1) === 'query', first.join());
    await turn.locator('.results svg').first().waitFor();
    assert.match(await turn.locator('.results').innerText(), /Sample data/);
    await visitor.picture('expert-chart');
    // With the answer it became one line, which opens again.
    const chip = turn.locator('.chip');
    await becomes(async () => /^4 steps · 12 rows · [\d.]+\s(?:ms|s)$/.test(await chip.innerText()), true);
    assert.equal(await turn.locator('.progress-said').count(), 0);
    await chip.click();
    const [done, told] = [await chip.innerText(), await turn.locator('.progress-said').innerText()];
    assert.match(told, /DESCRIBE verbraeuche\n[^]*query: 12 rows/);
    await chip.click();
    await turn.locator('.progress-said').waitFor({ state: 'detached' });
    await visitor.reload();
    await becomes(() => chip.innerText(), done);
    await chip.click();
    assert.equal(await turn.locator('.progress-said').innerText(), told);

    await visitor.ask('und 2024?');
    assert.deepEqual(databaseCalls(await visitor.lastTrace()), ['query']);

    await visitor.ask('Welche Ablesungen fehlen 2024?');
    const table = page.locator('.turn').nth(2).locator('.results table').first();
    await table.waitFor();
    await table.locator('tbody tr').first().waitFor();
    const origin = page.locator('.turn').nth(2).locator('.origin');
    assert.equal(await origin.locator('pre').isVisible(), false);
    await origin.locator('summary').click();
    assert.match(await origin.locator('pre').innerText(), /^SELECT /i);
    await visitor.finds('a table of an expert');
    await visitor.picture('expert-table');
  }));
