// The documentation under `/docs`: every page can be read, and every link in it leads to a page and a heading that exist.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, dark, phone } from './stage.mjs';

const stage = new Stage({});
before(() => stage.open());
after(() => stage.close());

/** @param {import('playwright-core').Page} page @param {string} address */
async function open(page, address) {
  await page.goto(new URL(address, page.url()).href);
  await page.locator('main h1').waitFor();
}

test('every page can be reached, and every link leads to a heading that exists', () =>
  stage.visit({}, async (visitor, page) => {
    /** @type {Map<string, {links: string[], ids: string[]}>} */
    const seen = new Map();
    const due = ['/docs', '/docs/readme', '/docs/changelog'];
    for (const path of due) {
      await open(page, path);
      const found = await page.evaluate(() => ({
        links: [...document.querySelectorAll('main a, nav a')].map((link) => link.getAttribute('href') ?? ''),
        ids: [...document.querySelectorAll('main [id]')].map(({ id }) => id),
      }));
      seen.set(path, found);
      for (const link of found.links.filter((one) => one.startsWith('/docs')).map((one) => one.split('#')[0])) if (!due.includes(link)) due.push(link);
    }
    assert.ok(due.length >= 15, `pages: ${due.join(', ')}`);
    for (const [path, { links }] of seen) {
      for (const link of links.filter((one) => /^#|^\/docs/.test(one))) {
        const [to, anchor] = link.split('#');
        const target = seen.get(to || path);
        assert.ok(target && (!anchor || target.ids.includes(anchor)), `${path}: ${link} leads nowhere`);
      }
    }
    await open(page, '/docs/settings');
    await visitor.finds('documentation');
    await visitor.picture('docs');
    assert.ok(await page.locator('nav [aria-current="page"]').isVisible(), 'the list shows which page is open');
  }));

for (const [name, options] of [['phone', phone], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: nothing is wider than the window, and axe finds nothing`, () =>
    stage.visit(options, async (visitor, page) => {
      for (const path of ['/docs', '/docs/http', '/docs/limits']) {
        await open(page, path);
        const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(content <= window, `${path} is ${content} px wide in ${window}`);
      }
      await visitor.finds(`documentation on a ${name}`);
      await visitor.picture(`docs-${name}`);
    }));
}

test('a page that does not exist says so', () =>
  stage.visit({ tolerates: /status of 404/ }, async (_visitor, page) => {
    await page.goto(new URL('/docs/nothing', page.url()).href);
    await page.locator('main', { hasText: 'There is no page “nothing”.' }).waitFor();
  }));
