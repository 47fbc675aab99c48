// A German question to the database expert: progress while it works, then the answer, its rows and where they come from.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage } from './stage.mjs';

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
    await page.getByText('DESCRIBE verbraeuche').first().waitFor();
    await visitor.ended(turn);
    assert.match(await visitor.footer(turn), /^expert\+interpreter · 5 frames · /);
    const first = databaseCalls(await visitor.lastTrace());
    assert.ok(first.some((label) => label === 'describe verbraeuche') && first.at(-1) === 'query', first.join());
    await page.locator('.controls svg').first().waitFor();
    assert.match(await page.locator('.controls').innerText(), /Sample data/);
    await visitor.picture('expert-chart');
    const told = await turn.locator('.progress-said').innerText();
    await visitor.reload();
    await turn.locator('.progress-said').waitFor();
    assert.equal(await turn.locator('.progress-said').innerText(), told);

    await visitor.ask('und 2024?');
    assert.deepEqual(databaseCalls(await visitor.lastTrace()), ['query']);

    await visitor.ask('Welche Ablesungen fehlen 2024?');
    const table = page.locator('.controls table').first();
    await table.waitFor();
    await table.locator('tbody tr').first().waitFor();
    const origin = page.locator('.origin');
    assert.equal(await origin.locator('pre').isVisible(), false);
    await origin.locator('summary').click();
    assert.match(await origin.locator('pre').innerText(), /^SELECT /i);
    await visitor.finds('a table of an expert');
    await visitor.picture('expert-table');
  }));
