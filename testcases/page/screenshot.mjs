// Takes the picture for the README: a conversation with an answer of four frames, a traffic light and an opened trace.
//
// `npm run screenshot` writes `screenshot.png`. The picture is kept small, because it is kept with the sources.

import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Stage } from './stage.mjs';

const BYTES_MAX = 150_000;
const file = fileURLToPath(new URL('screenshot.png', import.meta.url));

const stage = new Stage({ wordPause: 10 });
await stage.open();
try {
  await stage.visit({ viewport: { width: 1200, height: 760 }, colorScheme: 'light' }, async (visitor, page) => {
    const turn = await visitor.ask('why is the sky blue?');
    await visitor.ask('make a traffic light');
    await page.locator('[data-machine] .control').first().click();
    await visitor.ended(page.locator('.turn').nth(2));
    await turn.locator('.trace-link').click();
    await page.locator('.drawer .frame').nth(3).waitFor();
    const scroller = page.locator('.scroller');
    await scroller.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: file });
  });
} finally {
  await stage.close();
}
const { size } = await stat(file);
assert.ok(size <= BYTES_MAX, `${size} bytes`);
console.log(`${file}: ${size} bytes`);
