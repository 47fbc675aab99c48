// What the tests of a bad network have in common: a scene behind a proxy, and the question whether anything was lost.

import { becomes } from './stage.mjs';

/** What a browser says by itself when a connection breaks. */
const BROKEN = /WebSocket connection|Failed to load resource/;

/** Plays a scene behind a proxy, which is opened before and closed after it.
 * @param {import('./stage.mjs').Stage} stage @param {object} proxy @param {object} options of the visit */
export async function behind(stage, proxy, options, scene) {
  try {
    await proxy.open();
    await stage.visit({ through: proxy.address, tolerates: BROKEN, ...options }, (visitor, page) => scene(visitor, page, proxy));
  } finally {
    await proxy.close();
  }
}

/** The page shows the history; and read anew, it shows the same to the letter. */
export async function nothingIsLost(visitor, page) {
  await visitor.showsTheHistory();
  const shown = await page.locator('.question, .answer').allInnerTexts();
  await visitor.reload();
  await becomes(() => page.locator('.question, .answer').allInnerTexts(), shown);
}
