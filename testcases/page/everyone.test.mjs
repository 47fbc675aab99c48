// Administrators look at everyone's turns: the list, and the trace and the graph of a turn that isn't theirs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SignedStage } from './signed.mjs';
import { becomes } from './stage.mjs';

const stage = new SignedStage({ roles: { root: ['admin'] } }, { wordPause: 1, flags: ['--admin-value', 'admin'] });
before(() => stage.open());
after(() => stage.close());

const rows = (page) => page.locator('.turns[aria-busy=false] tbody tr[data-turn-row]');

test('an administrator sees the turns of all users and looks into one, other users see only their own', async () => {
  let adas = '';
  await stage.visit({}, async (user, page) => {
    await user.logIn('ada');
    adas = user.visitor.session;
    for (const text of ['why is the sky blue?', 'hello']) await user.visitor.ask(text);
    await user.visitor.open('turns');
    await becomes(() => rows(page).count(), 2);
    const scopes = page.getByLabel('Which turns').locator('option');
    await becomes(() => scopes.allInnerTexts(), ['This conversation', 'All my conversations']);
  });
  await stage.visit({}, async (user, page) => {
    await user.logIn('root');
    await user.visitor.ask('tell me a joke');
    await user.visitor.open('turns');
    await page.getByLabel('Which turns').selectOption('All my conversations');
    await becomes(() => rows(page).locator('th a').allInnerTexts(), ['tell me a joke']);
    await page.getByLabel('Which turns').selectOption('All conversations');
    const theirs = rows(page).filter({ hasText: `ada · ${adas}` }).filter({ hasText: 'sky' });
    await theirs.getByRole('link').click();
    await page.locator('.chosen-turn').waitFor();
    assert.equal(await page.locator('.turn[data-turn=msg_1] .question').evaluate((one) => one.lastChild.textContent), 'tell me a joke', 'the chat stays on its own conversation');
    await page.locator('.chosen-turn').getByRole('link', { name: 'Trace' }).click();
    await page.locator('.trace-message', { hasText: 'sky' }).waitFor();
    await becomes(() => page.locator('.chooser option:checked').innerText(), `msg_1 · ${adas} · ada`);
    await page.locator('.call button.row').first().click();
    await page.locator('.call-detail pre').last().waitFor();
    await page.getByRole('button', { name: 'Re-run with another prompt' }).click();
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByText('The answer is the same.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Fork from here' }).count(), 0, 'another user’s conversation is not forked');
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByText('Only turns of the open conversation can be compared.').waitFor();
    await page.getByRole('tab', { name: 'Graph' }).click();
    await page.locator('.paths [aria-current]', { hasText: 'director' }).waitFor();
    await page.locator('[data-node=input]').click();
    await page.locator('.node [data-part=out] pre').waitFor();
    await page.locator('.node a', { hasText: 'msg_1' }).click();
    await page.locator('.trace-message', { hasText: 'sky' }).waitFor();
  });
});
