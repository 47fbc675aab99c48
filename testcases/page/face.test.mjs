// A graph's own face: its title, greeting, examples, logo, language and colours, in the reader's language.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Stage, dark, phone } from './stage.mjs';

const LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10" fill="#0b5d66"/></svg>';
const FACE = {
  title: 'Heating desk', greeting: 'Ask about bills and readings.', examples: ['hello', 'why is the sky blue?'], logo: 'desk.svg',
  colours: { light: '#0b5d66', dark: '#7fd1d9' },
  texts: { de: { title: 'Heizungs-Auskunft', greeting: 'Frag nach Rechnungen und Ablesungen.', examples: ['Hallo'] } },
};

const folder = await mkdtemp(join(tmpdir(), 'framewright-graphs-'));
const graph = JSON.parse(await readFile(new URL('../../graphs/v3-framed.json', import.meta.url), 'utf8'));
await writeFile(join(folder, 'desk.json'), JSON.stringify({ ...graph, name: 'desk', face: FACE }));
await writeFile(join(folder, 'own.json'), JSON.stringify({ ...graph, name: 'own', face: { ...FACE, language: 'de' } }));
await writeFile(join(folder, 'desk.svg'), LOGO);

const stage = new Stage({ wordPause: 1, flags: ['--graphs', folder, '--graph', 'desk'] });
const german = new Stage({ wordPause: 1, flags: ['--graphs', folder, '--graph', 'own'] });
before(() => Promise.all([stage.open(), german.open()]));
after(() => Promise.all([stage.close(), german.close(), rm(folder, { recursive: true })]));

for (const [name, options] of [['light', {}], ['dark', dark], ['phone', phone]]) {
  test(`${name}: title, greeting, examples, logo and colour are the graph's own`, () =>
    stage.visit(options, async (visitor, page) => {
      await page.getByRole('heading', { name: 'Heating desk' }).first().waitFor();
      await page.getByText('Ask about bills and readings.').waitFor();
      assert.equal(await page.title(), 'Heating desk');
      const [width, accent] = await page.evaluate(() => [
        document.querySelector('.invitation img')?.naturalWidth,
        getComputedStyle(document.documentElement).getPropertyValue('--accent'),
      ]);
      assert.ok(width > 0, 'the logo is drawn');
      assert.match(accent, /#0b5d66, *#7fd1d9/);
      await visitor.finds('a face of its own');
      await visitor.picture(`face-${name}`);
      await page.getByRole('button', { name: 'hello' }).click();
      await visitor.ended(page.locator('.turn').first());
    }));
}

test('who reads German gets the German texts', () =>
  stage.visit({ locale: 'de-DE' }, async (_visitor, page) => {
    await page.getByText('Frag nach Rechnungen und Ablesungen.').waitFor();
    await page.getByRole('button', { name: 'Hallo' }).waitFor();
  }));

test('the language of the graph is the page\'s, for who has chosen none', () =>
  german.visit({ locale: 'en-US' }, async (_visitor, page) => {
    await page.getByText('Frag nach Rechnungen und Ablesungen.').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
  }));

test('another graph has its own face, or none', () =>
  stage.visit({}, async (visitor, page) => {
    await page.getByText('Ask about bills and readings.').waitFor();
    await page.goto(`${visitor.url()}#/graph`);
    await page.getByRole('button', { name: 'Change' }).click();
    await page.locator('.choice', { hasText: 'v1-direct' }).click();
    await page.getByRole('button', { name: 'Switch to v1-direct' }).click();
    await page.locator('.graph-name', { hasText: 'v1-direct' }).waitFor();
    await page.getByText('Ask about bills and readings.').waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => document.documentElement.style.getPropertyValue('--accent')), '');
  }));
