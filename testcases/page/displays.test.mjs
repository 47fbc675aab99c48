// Values on the page: exact in tables, charts and text, missing where they are missing, and one hover or copy away.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { scripted } from './model.mjs';
import { Stage, becomes, phone, wire } from './stage.mjs';

const stage = new Stage({ wordPause: 1 });
before(() => stage.open());
after(() => stage.close());

const EAN = 4006381333931;

/** Shows displays as the server would send them, as text: what JavaScript can't hold is in it too. */
async function shows(displays, scene, options = {}) {
  const { prepare, sockets } = wire();
  await stage.visit({ prepare, ...options }, async (visitor, page) => {
    let seq = 1_000_000;
    const put = (json) => sockets.at(-1).send(`{"event":"controls","controls":${json},"turn":"msg_1","frame":1,"at":0,"seq":${(seq += 1)}}`);
    put(typeof displays === 'string' ? displays : JSON.stringify(displays));
    await page.locator('.display').first().waitFor();
    await scene(page, visitor, put);
  });
}

const texts = (page, selector) => page.locator(selector).allInnerTexts();
const TABLE = {
  type: 'table',
  label: 'Artikel',
  language: 'de',
  columns: ['ean', 'jahr', 'preis', 'gewicht', 'bemerkung', 'fassung', 'mittel'],
  decimals: [2, 6],
  rows: [
    [EAN, 2024, '1234.50', 1234567.891234, null, '1.10', '12345.67891'],
    [17, 1999, '0.95', null, '1,234.50', '2.15', null],
    [null, 2023, null, 3, '0049', null, '1.00000'],
  ],
};

test('a table shows identifiers and integers exactly, decimals in the language of the answer, and nothing for what is missing', () =>
  shows([TABLE], async (page, visitor) => {
    assert.deepEqual(await texts(page, '.display tbody td'), [
      '4006381333931', '2024', '1234,50', '1.234.567,891', '', '1.10', '12.345,679',
      '17', '1999', '0,95', '', '1,234.50', '2.15', '',
      '', '2023', '', '3', '0049', '', '1',
    ]);
    const weight = page.locator('.display tbody td').nth(3);
    assert.equal(await weight.getAttribute('title'), '1234567.891234');
    assert.equal(await page.locator('.display tbody td').nth(6).getAttribute('title'), '12345.67891');
    assert.deepEqual(await page.locator('.display th').evaluateAll((heads) => heads.map(({ className }) => className)), ['numeric', 'numeric', 'numeric', 'numeric', '', 'numeric', 'numeric']);
    await visitor.finds('a table of values');
    await visitor.picture('values-table');
  }));

test('the same in English', () =>
  shows([{ ...TABLE, language: 'en' }], async (page) => {
    assert.equal(await page.locator('.display tbody td').nth(3).innerText(), '1,234,567.891');
  }));

test('integers that JavaScript can\'t hold are exact, as numbers and as text, also in what a button sends back', () =>
  shows(
    '[{"type":"table","columns":["id","as text"],"rows":[[9007199254740993,"9007199254740993"],[18446744073709551615,1]]},' +
      '{"type":"value","label":"Id","value":9007199254740993},{"type":"value","label":"Sum","value":9007199254740993,"unit":"€"},' +
      '{"type":"text","text":"x","label":"y"},{"type":"chart","x":[9007199254740993,"b"],"series":[{"name":"n","values":[9007199254740993,1]}]},' +
      '{"type":"button","label":"Open","action":"open","payload":{"id":9007199254740993},"source":"thinker"}]',
    async (page, visitor) => {
      assert.deepEqual(await texts(page, '.display.table td'), ['9007199254740993', '9007199254740993', '18446744073709551615', '1']);
      assert.deepEqual(await texts(page, '.display .number'), ['9007199254740993', '9,007,199,254,740,993 €']);
      assert.equal(await page.locator('.display.chart rect title').first().textContent(), '9007199254740993 · n: 9007199254740993');
      assert.equal(await page.locator('.axes text', { hasText: '9007199254740993' }).count(), 1);
      const sent = page.waitForRequest(/api\/action/);
      await page.route(/api\/action/, (route) => route.fulfill({ status: 409, json: { detail: 'Gone.', code: 'stale_control' } }));
      await page.getByRole('button', { name: 'Open' }).click();
      assert.match((await sent).postData(), /"data":\{"id":9007199254740993\}/);
      await visitor.picture('values-large');
    },
    { tolerates: /409/ },
  ));

test('where the browser does not show how a number was written, none is rounded in silence', () => {
  const prepare = (page) =>
    page.addInitScript(() => {
      const parse = JSON.parse;
      JSON.parse = (text, reviver) => parse(text, reviver && ((name, value) => reviver(name, value)));
    });
  return stage.visit({ prepare }, async (visitor, page) => {
    const shown = await page.evaluate(async () => {
      const [{ parsed }, { answer }] = await Promise.all(['api', 'calldetail'].map((name) => import(`/static/${name}.js`)));
      return [parsed('[9007199254740993, 7]'), answer({ answer: '{"n":0.1234567890123456789}' }), answer({ answer: '{"n":"a"}' })];
    });
    assert.deepEqual(shown, [['≈9007199254740992', 7], '{"n":0.1234567890123456789}', '{\n  "n": "a"\n}']);
  });
});

test('copying a cell, or a few, copies the exact values', async () => {
  const options = { permissions: ['clipboard-read', 'clipboard-write'] };
  await shows(
    [TABLE, { type: 'value', label: 'Gewicht', value: 1234567.891234, unit: 'kg', language: 'de' }],
    async (page) => {
      const copied = async (from, to = from) => {
        await page.evaluate(([first, last]) => {
          const cells = document.querySelectorAll('.display td, .display .number span');
          getSelection().setBaseAndExtent(cells[first], 0, cells[last], cells[last].childNodes.length);
        }, [from, to]);
        await page.keyboard.press('Control+c');
        return page.evaluate(() => navigator.clipboard.readText());
      };
      assert.equal(await copied(3), '1234567.891234');
      assert.equal(await copied(2, 10), '1234.50\t1234567.891234\t\t1.10\t12345.67891\n17\t1999\t0.95\t');
      assert.equal(await page.locator('.display .number').innerText(), '1.234.567,891 kg');
      assert.equal(await copied(21), '1234567.891234');
      await page.evaluate(() => getSelection().setBaseAndExtent(document.querySelectorAll('.display td')[3].firstChild, 0, document.querySelectorAll('.display td')[3].firstChild, 5));
      await page.keyboard.press('Control+c');
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), '1.234', 'a part is copied as it was selected');
    },
    options,
  );
});

const months = ['Jan', 'Feb', 'März', 'April'];

test('a missing value is a gap in a line and absent in bars, and zero is neither', () => {
  const series = [{ name: 'kWh', values: [10, null, 0, 20] }];
  return shows([{ type: 'chart', kind: 'line', label: 'Line', x: months, series }, { type: 'chart', kind: 'bar', label: 'Bars', x: months, series }], async (page, visitor) => {
    assert.equal(await page.locator('.line circle').count(), 3);
    assert.match(await page.locator('.line path').getAttribute('d'), /^M[\d. ]+M[\d. ]+L[\d. ]+$/);
    assert.deepEqual(await page.locator('.bars rect title').evaluateAll((all) => all.map(({ textContent }) => textContent)), ['Jan · kWh: 10', 'März · kWh: 0', 'April · kWh: 20']);
    assert.ok((await page.locator('.bars rect').nth(1).getAttribute('height')) > 1, 'zero can be seen');
    assert.equal(await page.locator('.undrawn').count(), 0);
    await page.locator('.chart summary').first().click();
    assert.deepEqual(await texts(page, '.chart details[open] tbody td'), ['Jan', '10', 'Feb', '', 'März', '0', 'April', '20']);
    await visitor.finds('charts with gaps');
    await visitor.picture('values-gaps');
  });
});

test('what is not a number is not drawn, and is named', () =>
  shows(
    [
      { type: 'chart', kind: 'bar', label: 'A', x: [...months, 'Mai'], series: [{ name: 'a', values: ['1,234.50', 'n/a', '1234.50', true, 'x'] }], language: 'de' },
      { type: 'chart', kind: 'line', label: 'B', x: ['a', 'b'], series: [{ name: 'b', values: ['1,234.50', 2] }] },
      { type: 'chart', label: 'C', x: ['a', 'b'], series: [{ name: 'c', values: [null, null] }] },
      { type: 'chart', label: 'D', x: [null, 'b'], values: [1, null, 3] },
    ],
    async (page, visitor) => {
      const chart = (label) => page.locator('.display.chart').filter({ has: page.locator('.title', { hasText: new RegExp(`^${label}$`) }) });
      assert.equal(await chart('A').locator('rect').count(), 1);
      assert.equal(await chart('A').locator('rect title').textContent(), 'März · a: 1234.50');
      assert.equal(await chart('A').locator('.undrawn').innerText(), '4 values aren’t numbers and aren’t drawn: “1,234.50”, “n/a”, “true” …');
      assert.equal(await chart('B').locator('.undrawn').innerText(), '1 value isn’t a number and isn’t drawn: “1,234.50”');
      assert.equal(await chart('B').locator('circle').count(), 1);
      assert.equal(await chart('C').locator('svg').count(), 0);
      assert.equal(await chart('C').locator('.undrawn').innerText(), 'There is no value to draw.');
      assert.equal(await chart('D').locator('rect').count(), 2, 'one list with a gap is one series');
      assert.equal(await chart('D').locator('rect title').first().textContent(), ' · series 1: 1', 'a missing label is not replaced by a number');
      await chart('A').locator('summary').click();
      assert.deepEqual((await texts(page, '.chart details[open] tbody td')).slice(4, 6), ['März', '1234,50']);
      await visitor.finds('charts with odd values');
      await visitor.picture('values-undrawn');
    },
  ));

test('axes keep their digits, whole and small', () =>
  shows(
    [
      { type: 'chart', label: 'Large', x: [EAN, EAN + 1], series: [{ name: 'a', values: [EAN, 2e12] }], language: 'de' },
      { type: 'chart', label: 'Small', x: ['a', 'b'], series: [{ name: 'a', values: [0.0003, 0.0001] }] },
    ],
    async (page, visitor) => {
      const ticks = await page.locator('.axes text[text-anchor=end]').allTextContents();
      assert.deepEqual(ticks, ['0', '1.000.000.000.000', '2.000.000.000.000', '3.000.000.000.000', '4.000.000.000.000', '5.000.000.000.000', '0', '0.0001', '0.0002', '0.0003']);
      assert.deepEqual(await page.locator('.axes text[text-anchor=middle]').allTextContents(), [`${EAN}`, `${EAN + 1}`, 'a', 'b']);
      const boxes = await page.locator('.chart svg').first().evaluate((svg) => [svg.getBoundingClientRect().left, ...[...svg.querySelectorAll('text')].map((text) => text.getBoundingClientRect().left)]);
      assert.ok(Math.min(...boxes) === boxes[0], 'no number begins left of the drawing');
      await visitor.picture('values-axes');
    },
  ));

test('a value is grouped only with a unit, and a progress bar shows no progress that isn\'t known', () =>
  shows(
    [
      { type: 'value', label: 'EAN', value: EAN },
      { type: 'value', label: 'Sum', value: 1234567, unit: '€' },
      { type: 'value', label: 'Text', value: '1234567', unit: '' },
      { type: 'value', label: 'None', value: null, unit: '€' },
      { type: 'progress', label: 'Known', value: 45, max: 50 },
      { type: 'progress', label: 'Nearly', value: 0.999 },
      { type: 'progress', label: 'More', value: 60, max: 50 },
      { type: 'progress', label: 'Unknown', value: 'soon', max: 50 },
      { type: 'progress', label: 'Endless', value: 45 },
      { type: 'progress', label: 'Nothing' },
    ],
    async (page, visitor) => {
      assert.deepEqual(await texts(page, '.display .number'), [`${EAN}`, '1,234,567 €', '1234567', '– €']);
      assert.deepEqual(await texts(page, '.progress .label span:last-child'), ['90%', '99%', '120%', 'soon / 50', '45', '–']);
      assert.equal(await page.locator('progress').count(), 3);
      await visitor.finds('values and progress');
      await visitor.picture('values-progress');
    },
  ));

test('on a phone', () =>
  shows(
    [TABLE, { type: 'chart', kind: 'line', label: 'Verbrauch', language: 'de', x: months, series: [{ name: 'kWh', values: [1234567.5, null, '1.234', 40000] }] }],
    async (page, visitor) => {
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      await visitor.finds('values on a phone');
      await visitor.picture('values-phone');
    },
    phone,
  ));

const SQL = `SELECT 'Jan' AS monat, 4006381333931 AS ean, 9007199254740993 AS id, 12.5 AS kwh UNION ALL SELECT 'Feb', 17, 1, NULL
  UNION ALL SELECT 'Mär', NULL, 2, '1,234.50' UNION ALL SELECT 'Apr', 3, 3, 1234567.891234 UNION ALL SELECT NULL, 4, 4, 0`;

test('what a database holds reaches the page as it is, in the language of the answer, also after a reload', async () => {
  const query = (show) => ({ tool: 'query', args: { sql: SQL, show } });
  const model = await scripted({
    input: { who: 'user', language: 'de', intent: 'question', topic: 'kwh', tone: 'neutral', complexity: 'simple', context: '' },
    pa: { expert: 'eras', job: 'Liste alles auf.', thinking_message: '', language: 'de' },
    expert: { tool_sequence: [query({ as: 'table', label: 'Alles' }), query({ as: 'line', label: 'Verlauf', x: 'monat', y: ['kwh'] })], response_hint: '', interpret: false },
    output: 'Hier ist alles.',
    memorizer: '{}',
  });
  const own = new Stage({ flags: ['--llm-url', model.url, '--model', 'scripted', '--graph', 'v4-eras', '--database', 'eras2_production=sample'] });
  try {
    await own.open();
    await own.visit({}, async (visitor, page) => {
      await visitor.ask('zeig mir alles');
      for (let round = 0; round < 2; round += 1) {
        await page.locator('.display.chart').waitFor();
        assert.deepEqual(await texts(page, '.display.table tbody td'), [
          'Jan', '4006381333931', '9007199254740993', '12,5',
          'Feb', '17', '1', '',
          'Mär', '', '2', '1,234.50',
          'Apr', '3', '3', '1.234.567,891',
          '', '4', '4', '0',
        ]);
        assert.equal(await page.locator('.line circle').count(), 3);
        assert.equal(await page.locator('.undrawn').innerText(), '1 value isn’t a number and isn’t drawn: “1,234.50”');
        assert.deepEqual(await page.locator('.axes text[text-anchor=middle]').allTextContents(), ['Jan', 'Feb', 'Mär', 'Apr', '']);
        assert.ok((await page.locator('.axes text[text-anchor=end]').allTextContents()).includes('1.500.000'));
        await visitor.picture('values-from-a-database');
        await visitor.reload();
      }
    });
  } finally {
    await own.close();
    model.close();
  }
});
