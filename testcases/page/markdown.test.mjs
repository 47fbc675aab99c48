// Markdown in the page: the blocks of an answer that arrives piece by piece are those of the whole.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, wire } from './stage.mjs';

const stage = new Stage({ wordPause: 1 });
before(() => stage.open());
after(() => stage.close());

const TEXT = `# A heading

Some *text* with \`code\`,
two lines long.

Setext
======

- one

- two
  with more

  1. nested
  2. items

> a quote
lazily continued

| a | b |
|---|---|
| 1 | 2 |

\`\`\`js
const fence = 'with\\n\\nblank lines';

// end
\`\`\`

    indented

***

The end, [explained][there] below.

[there]: https://example.com
`;

test('reading a growing text again and again ends where reading it once does', () =>
  stage.visit({}, async (_visitor, page) => {
    const address = (await page.locator('script[src$="/app.js"]').getAttribute('src')).replace('app.js', 'markdown.js');
    const found = await page.evaluate(
      async ([module, text]) => {
        const { blocks, grown } = await import(module);
        const shape = (all) => all.map(({ type, raw, start }) => [type, raw, start]);
        const differing = [];
        for (let step = 1; step <= 17; step += 1) {
          let known = [];
          for (let length = step; length < text.length + step; length += step) {
            const part = text.slice(0, length);
            known = grown(part, known);
            if (JSON.stringify(shape(known)) !== JSON.stringify(shape(blocks(part)))) differing.push([step, part.slice(-30)]);
          }
        }
        return differing;
      },
      [address, TEXT],
    );
    assert.deepEqual(found, []);
  }));

test('a link that is explained at the end works once the answer is whole', async () => {
  const { prepare, inject } = wire();
  await stage.visit({ prepare }, async (visitor, page) => {
    const of = { turn: 'msg_9', frame: 1, node: 'output', at: 0 };
    let seq = 1;
    inject({ ...of, event: 'turn_started', message: 'links?', entry: 'message', seq });
    for (const text of TEXT.match(/[^]{1,7}/g)) {
      inject({ ...of, event: 'streaming', text, seq: (seq += 1) });
      // A piece for each painted frame, so that the page sees every stage.
      await page.waitForTimeout(20);
    }
    const trace = { id: 'msg_9', message: 'links?', graph: 'g', path: 'p', status: 'done', started_at: 0, total_frames: 1, total_ms: 1, frames: [] };
    inject({ ...of, event: 'frame_trace', trace, seq: seq + 1 });
    await visitor.ended(page.locator('.turn').last());
    const link = page.locator('.answer a', { hasText: 'explained' });
    assert.equal(await link.getAttribute('href'), 'https://example.com');
    assert.deepEqual(await page.locator('.answer').locator('h3, ul, ol, blockquote, table, figure, hr').evaluateAll((all) => all.map(({ tagName }) => tagName)), [
      'H3', 'H3', 'UL', 'OL', 'BLOCKQUOTE', 'TABLE', 'FIGURE', 'FIGURE', 'HR',
    ]);
  });
});
