// Text of all scripts: its direction, characters that turn it, and Markdown where no spaces stand between words.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage, becomes, phone, wire } from './stage.mjs';

const stage = new Stage({ wordPause: 1 });
before(() => stage.open());
after(() => stage.close());

/** Puts turns on the page as the server would send them. */
async function says(turns, scene, options = {}) {
  const { prepare, inject } = wire();
  await stage.visit({ prepare, ...options }, async (visitor, page) => {
    let seq = 1_000_000;
    const put = (event) => inject({ node: 'output', at: 0, frame: 1, seq: (seq += 1), ...event });
    turns.forEach(({ question, answer, progress, error }, at) => {
      const turn = `msg_${9000 + at}`;
      const trace = { id: turn, message: question, graph: 'g', path: 'p', status: error ? 'error' : 'done', started_at: 0, total_frames: 1, total_ms: 1, frames: [] };
      put({ turn, event: 'turn_started', message: question, entry: 'message' });
      if (progress) put({ turn, event: 'thinking', detail: progress, kind: 'progress' });
      if (answer) put({ turn, event: 'streaming', text: answer });
      if (error) put({ turn, event: 'error', detail: error });
      put({ turn, event: 'frame_trace', trace });
    });
    await visitor.ended(page.locator('.turn').nth(turns.length - 1));
    await scene(page, visitor, put);
  });
}

const direction = (locator) => locator.evaluate((element) => getComputedStyle(element).direction);

test('Markdown: each answer becomes what it means', () =>
  says(
    [
      ['**「x」**は', '<p><strong>「x」</strong>は</p>'],
      ['これは**「重要」**です。**次**', '<p>これは<strong>「重要」</strong>です。<strong>次</strong></p>'],
      ['これは**(a)** です', '<p>これは<strong>(a)</strong> です</p>'],
      ['约**100%**的', '<p>约<strong>100%</strong>的</p>'],
      ['**한국어(Korean)**는', '<p><strong>한국어(Korean)</strong>는</p>'],
      ['**「a `**` b」**は', '<p><strong>「a <code dir="auto">**</code> b」</strong>は</p>'],
      ['**a*b*「c」**d', '<p><strong>a<em>b</em>「c」</strong>d</p>'],
      ['foo**(bar)**baz and 2 ** 3 ** 4', '<p>foo**(bar)**baz and 2 ** 3 ** 4</p>'],
      ['**plain** and ***both***', '<p><strong>plain</strong> and <em><strong>both</strong></em></p>'],
      ['見よhttps://example.com/a。次', '<p>見よ<a href="https://example.com/a">https://example.com/a</a>。次</p>'],
      ['（https://example.com/日本）と', '<p>（<a href="https://example.com/日本">https://example.com/日本</a>）と</p>'],
      ['https://example.com/a，https://example.com/b！', '<p><a href="https://example.com/a">https://example.com/a</a>，<a href="https://example.com/b">https://example.com/b</a>！</p>'],
      ['“https://example.com/a” and https://example.com/b.', '<p>“<a href="https://example.com/a">https://example.com/a</a>” and <a href="https://example.com/b">https://example.com/b</a>.</p>'],
      ['\\(a_1 * b_2\\) and \\(c\\)', '<p>\\(a_1 * b_2\\) and \\(c\\)</p>'],
      ['\\[ x^2 = *y* \\]', '<p>\\[ x^2 = *y* \\]</p>'],
      ['\\[not a link\\](x) and \\(open', '<p>[not a link](x) and (open</p>'],
      ['one<br>two<br/>three<BR />four', '<p>one<br>two<br>three<br>four</p>'],
      ['`<br>` <b>x</b>', '<p><code dir="auto">&lt;br&gt;</code> &lt;b&gt;x&lt;/b&gt;</p>'],
      ['a\u202eb\u2066c &#x202E;d&#8238;e', '<p>abc de</p>'],
      ['`a\u202eb` \u200fx', '<p><code dir="auto">a\\u202eb</code> \u200fx</p>'],
    ].map(([answer, expected]) => ({ question: expected, answer })),
    async (page) => {
      const found = await page.locator('.turn').evaluateAll((turns) =>
        turns.map((turn) => [turn.querySelector('.question').lastChild.textContent, [...turn.querySelectorAll('.block')].map(({ innerHTML }) => innerHTML.replace(/ (?:rel|target)="[^"]*"/g, '').trim()).join('')]),
      );
      for (const [expected, html] of found) assert.equal(html, expected);
    },
  ));

test('a cell of a table breaks its line where `<br>` stands, and every cell has a direction of its own', () =>
  says([{ question: 'q', answer: '| a | b |\n|---|---|\n| one<br>two | שלום |' }], async (page) => {
    const cells = page.locator('.answer td');
    assert.equal(await cells.first().innerHTML(), 'one<br>two');
    assert.deepEqual([await direction(cells.first()), await direction(cells.last())], ['ltr', 'rtl']);
    assert.equal(await page.locator('.answer th[dir=auto], .answer td[dir=auto]').count(), 4);
  }));

const ARABIC = 'مرحبا **بالعالم**، هذا نص عربي.\n\n- أولا\n- ثانيا\n\n> اقتباس\n\n| اسم | عدد |\n|---|---|\n| تفاح | 4006381333931 |\n\nAnd one in English.';
const TURNS = [
  { question: 'ما هو الطقس اليوم؟', answer: ARABIC, progress: 'أبحث في الجدول.' },
  { question: 'שלום, what is this?', answer: 'This is English with שלום in it.' },
  { question: 'なぜ？', answer: 'これは**「重要」**です。詳しくはhttps://example.com/a。' },
  { question: 'hello', error: 'חסר מפתח.' },
];

test('each message stands in its own direction', () =>
  says(TURNS, async (page, visitor, put) => {
    const turn = (at) => page.locator('.turn').nth(at);
    await turn(0).locator('.chip').click();
    const of = async (selector, at = 0) => direction(turn(at).locator(selector).first());
    assert.deepEqual([await of('.question'), await of('.progress-said'), await of('.answer ul'), await of('.answer blockquote'), await of('.answer table')], ['rtl', 'rtl', 'rtl', 'rtl', 'rtl']);
    assert.equal(await direction(turn(0).locator('.answer p').last()), 'ltr');
    assert.deepEqual([await of('.question', 1), await of('.answer p', 1), await of('.failure', 3), await of('.question', 3)], ['rtl', 'ltr', 'rtl', 'ltr']);
    const controls = [
      { type: 'table', label: 'جدول', columns: ['اسم', 'id'], rows: [['تفاح', 4006381333931], ['apple', 17], ['pay\u202e31\u202c', null]], source: 'thinker' },
      { type: 'chart', label: 'رسم', x: ['يناير', 'فبراير'], series: [{ name: 'عدد', values: [1, 2] }, { name: 'b', values: [2, 1] }] },
      { type: 'text', label: 'x', text: 'נ\u202eabc' },
      { type: 'button', label: 'אדום', action: 'red', source: 'thinker' },
    ];
    put({ event: 'controls', controls, turn: 'msg_9003' });
    const cells = page.locator('.display td');
    await cells.first().waitFor();
    assert.deepEqual([await direction(page.locator('.display table').first()), await direction(cells.nth(0)), await direction(cells.nth(2))], ['rtl', 'rtl', 'ltr']);
    assert.equal(await cells.nth(4).innerText(), 'pay\\u202e31\\u202c', 'a character that turns text can be seen');
    assert.equal(await page.locator('.display.text p').last().innerText(), 'נabc');
    assert.equal(await direction(page.locator('.control')), 'rtl');
    await page.locator('#message').fill('שלום');
    assert.equal(await direction(page.locator('#message')), 'rtl');
    await page.evaluate(() => document.querySelector('.scroller').scrollTo(0, 0));
    await visitor.picture('text-directions');
    await page.locator('.display').first().scrollIntoViewIfNeeded();
    await visitor.picture('text-directions-controls');
    await visitor.finds('text in several directions');
  }));

test('on a phone nothing is wider than the window', () =>
  says(
    TURNS,
    async (page, visitor) => {
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await page.evaluate(() => document.querySelector('.scroller').scrollTo(0, 0));
      await visitor.picture('text-directions-phone');
      await visitor.finds('text on a phone');
    },
    phone,
  ));

test('code shows what would turn it, and is copied as it is shown', () =>
  says([{ question: 'q', answer: '```js\nif (admin) {\u202e } // check\n```' }], async (page) => {
    assert.equal(await page.locator('.code code').innerText(), 'if (admin) {\\u202e } // check');
  }));
