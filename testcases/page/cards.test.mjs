// Results stay with the answer that they belong to, also after a reload: tables and charts as cards, with their rows, their SQL and
// ways to take them along.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Stage, becomes, copies, dark, phone, wire } from './stage.mjs';

const stage = new Stage({ wordPause: 1 });
before(() => stage.open());
after(() => stage.close());

const module = (name) => readFile(new URL(`../../static/${name}.js`, import.meta.url), 'utf8').then((source) => import(`data:text/javascript,${encodeURIComponent(source)}`));
const { formattedSql } = await module('sql');
const { pieces } = await module('syntax');
const { nothingShown, shownAfter, shownAt } = await module('shown');

/** Shows displays as the server would send them. */
async function shows(displays, scene, options = {}) {
  const { prepare, inject, sockets } = wire();
  await stage.visit({ prepare, ...options }, async (visitor, page) => {
    await becomes(async () => sockets.length > 0, true);
    inject({ event: 'controls', controls: displays, turn: 'msg_1', frame: 1, at: 0, seq: 1_000_000 });
    await page.locator('.display').first().waitFor();
    await scene(page, visitor);
  });
}

const ofTurn = (page, at) => page.locator('.turn').nth(at).locator('.results .display');
const labels = (displays) => displays.locator('.title').allInnerTexts();
const eras = (visitor) => visitor.send('/api/graph/switch', { name: 'v4-eras' });

test('a display belongs to the answer that it came with, whatever comes later', () => {
  const text = (label) => ({ type: 'text', label });
  const button = { type: 'button', label: 'On', action: 'on', source: 'machine:lamp' };
  const lamp = { id: 'lamp', current: 'off', states: [{ name: 'off', content: [text('dark')], buttons: [button] }] };
  const started = (turn, entry = 'message') => ({ event: 'turn_started', turn, entry });
  const controls = (turn, ...all) => ({ event: 'controls', turn, controls: all });
  const machines = (turn, ...all) => ({ event: 'machines', turn, machines: all });
  const ended = (id, status = 'done', path = 'director') => ({ event: 'frame_trace', turn: id, trace: { id, status, path } });
  const played = (...events) => events.reduce(shownAfter, nothingShown);
  const placed = ({ byTurn }) => Object.entries(byTurn).map(([id, all]) => `${id} ${all.map(({ label }) => label)}`);

  const first = [started('msg_1'), controls('msg_1', text('a')), ended('msg_1')];
  assert.deepEqual(placed(played(...first, started('msg_2'), controls('msg_2'), ended('msg_2'))), ['msg_1 a'], 'the next answer shows nothing');
  assert.deepEqual(placed(played(...first, started('msg_2'), ended('msg_2'))), ['msg_1 a', 'msg_2 a'], 'the next shows the same, of which no event comes');
  assert.deepEqual(placed(played(...first, started('msg_2'), ended('msg_2', 'error'))), ['msg_1 a'], 'the next fails');
  const lit = [...first, started('msg_2'), controls('msg_2', text('b'), text('dark'), button), machines('msg_2', lamp), ended('msg_2')];
  assert.deepEqual(placed(played(...lit)), ['msg_1 a', 'msg_2 b'], 'a machine keeps its own');
  const onlyMachine = [...first, started('msg_2'), controls('msg_2', text('dark'), button), machines('msg_2', lamp), ended('msg_2')];
  assert.deepEqual(placed(played(...onlyMachine)), ['msg_1 a']);
  const step = [started('msg_3', 'machine'), controls('msg_3', text('b, new'), text('dark'), button), ended('msg_3', 'done', 'machine')];
  assert.deepEqual(placed(played(...lit, ...step)), ['msg_1 a', 'msg_2 b, new'], 'a step brings values up to date, and takes nothing over');
  const changing = [...first, started('msg_2'), controls('msg_2', text('a'), text('dark'), button), machines('msg_2', lamp)];
  assert.deepEqual(placed(played(...changing)), ['msg_1 a'], 'until an answer shows something, what is there is the last one\'s');
  assert.deepEqual(placed(played(...lit, { event: 'cleared', turn: '' })), []);
  const traces = [{ id: 'msg_1', status: 'done', path: 'director' }, { id: 'msg_2', status: 'error', path: 'director' }, { id: 'msg_3', status: 'done', path: 'machine' }];
  assert.deepEqual(placed(shownAt([text('a'), text('dark'), button], [lamp], traces)), ['msg_1 a'], 'read again');
});

test('SQL gets a line for each clause, and says the same', () => {
  assert.equal(
    formattedSql("select a, count(*) as n from t  join u on u.id = t.u where a between 1 and 2 and (b = 'x and y' or c is null) and d in (select e from f where g = 1) group by a order by n desc limit 5"),
    "select a, count(*) as n\nfrom t\njoin u on u.id = t.u\nwhere a between 1 and 2\n  and (b = 'x and y' or c is null)\n  and d in (\n  select e\n  from f\n  where g = 1)\ngroup by a\norder by n desc\nlimit 5",
  );
  const long = `SELECT ${Array.from({ length: 9 }, (_, at) => `t.column_number_${at}`).join(', ')} FROM t`;
  assert.match(formattedSql(long), /^SELECT t\.column_number_0,\n {7}t\.column_number_1,\n/);
  const bare = (sql) => sql.replace(/\s+/g, '');
  for (const sql of [
    long,
    "SELECT 'it''s', \"a  b\", `c  d` FROM t WHERE x = 'from  where'",
    "SELECT CASE WHEN a = 1 AND b = 2 THEN 'x' ELSE 'y' END FROM t UNION ALL SELECT EXTRACT(YEAR FROM d) FROM u",
    'WITH a AS (SELECT 1) SELECT left(x, 2), * FROM a NATURAL LEFT OUTER JOIN b',
    'SELECT 1 -- not\nFROM t',
    '',
  ]) {
    const formatted = formattedSql(sql);
    assert.equal(bare(formatted), bare(sql));
    for (const quoted of sql.match(/'[^']*'|"[^"]*"|`[^`]*`/g) ?? []) assert.ok(formatted.includes(quoted), quoted);
  }
  assert.equal(formattedSql('SELECT 1 -- not\nFROM t'), 'SELECT 1 -- not\nFROM t', 'a comment to the end of its line leaves all as it is');
});

test('code is coloured as its language is written, and stays the same text', () => {
  const drawn = (text, language) => pieces(text, language).filter(({ kind }) => kind).map(({ kind, text: piece }) => `${kind}:${piece}`);
  assert.deepEqual(drawn('let x = "// no"; // yes 1', 'ts'), ['word:let', 'text:"// no"', 'comment:// yes 1']);
  assert.deepEqual(drawn("def f(): # it's\n  return 'a', 3.5e2", 'python'), ['word:def', "comment:# it's", 'word:return', "text:'a'", 'number:3.5e2']);
  assert.deepEqual(drawn("fn f<'a>(x: &'a str) -> char { 'b' }", 'rust'), ['word:fn', "text:'b'"]);
  assert.deepEqual(drawn('select 1 from t -- x', 'SQL'), ['word:select', 'number:1', 'word:from', 'comment:-- x']);
  assert.deepEqual(drawn('<a href="x">b</a><!-- c -->', 'html'), ['name:<a', 'text:"x"', 'name:>', 'name:</a', 'name:>', 'comment:<!-- c -->']);
  assert.deepEqual(drawn('{"a": [1, true]}', 'json'), ['text:"a"', 'number:1', 'word:true']);
  assert.deepEqual(drawn('# a\nkey: value # b', 'yaml'), ['comment:# a', 'name:key', 'comment:# b']);
  assert.deepEqual(drawn('for if while', 'klingon'), []);
  for (const language of ['js', 'python', 'rust', 'sql', 'html', 'css', 'yaml', 'bash', 'json', 'c']) {
    const text = 'a `b ${c}` "d\\" \'e\n/* f */ # -- // <g h="i"> 0x1f .5 \u00e4\u00f6 """j"""\n';
    assert.equal(pieces(text, language).map((piece) => piece.text).join(''), text, language);
  }
});

test('results stay in their turn when the next answer comes, and after a reload', () =>
  stage.visit({}, async (visitor, page) => {
    await eras(visitor);
    await visitor.ask('zeig mir den Verbrauch pro Monat 2023');
    await ofTurn(page, 0).locator('.plot svg').waitFor();
    assert.equal(await page.locator('.controls').count(), 0, 'nothing of it stands at the end');
    await visitor.ask('Welche Ablesungen fehlen 2024?');
    await visitor.ask('Danke!');
    const shown = async () => [await labels(ofTurn(page, 0)), await labels(ofTurn(page, 1)), await labels(ofTurn(page, 2))];
    const wanted = [['Wärmeverbrauch 2023 (kWh)'], ['Fehlende Ablesungen 2024'], []];
    await becomes(shown, wanted);
    const cell = await ofTurn(page, 1).locator('tbody td').first().innerText();
    await visitor.reload();
    await page.locator('.turn').first().scrollIntoViewIfNeeded();
    await becomes(shown, wanted);
    assert.equal(await ofTurn(page, 1).locator('tbody td').first().innerText(), cell);
    assert.equal(await ofTurn(page, 0).locator('.line circle').count(), 12);
    assert.match(await ofTurn(page, 0).innerText(), /Sample data/);
    await visitor.picture('results-again');
    await visitor.finds('results');
  }));

test('where the server no longer has a turn\'s events, its queries are shown as they were', async () => {
  const asked = [];
  const prepare = (page) =>
    page.route(/\/api\/(?:events|turn)\?/, (route) => {
      const url = new URL(route.request().url());
      asked.push(`${url.pathname} ${url.searchParams.get('turn') ?? url.searchParams.get('id')}`);
      if (url.pathname !== '/api/events') return route.continue();
      route.fulfill({ contentType: 'text/event-stream', body: 'data: {"type":"done","error":"not all events of this turn are kept","code":"turn_not_kept","refused":true}\n\n' });
    });
  await stage.visit({ prepare }, async (visitor, page) => {
    await eras(visitor);
    for (const message of ['zeig mir den Verbrauch pro Monat 2023', 'Welche Ablesungen fehlen 2024?', 'Danke!']) await visitor.ask(message);
    const drawn = async () => {
      await page.locator('.turn').first().scrollIntoViewIfNeeded();
      await ofTurn(page, 0).locator('.plot svg').waitFor();
      await ofTurn(page, 1).locator('tbody tr').first().waitFor();
      return [await ofTurn(page, 0).locator('.line path').getAttribute('d'), await ofTurn(page, 0).locator('.as-table').textContent(), await ofTurn(page, 1).locator('tbody').innerText(), await labels(ofTurn(page, 1)), await ofTurn(page, 1).locator('.origin code').textContent(), await page.locator('.sample').count()];
    };
    const before = await drawn();
    assert.deepEqual(asked, [], 'what was seen to come needs no reading');
    await visitor.reload();
    assert.deepEqual(await drawn(), before);
    await becomes(async () => asked.toSorted(), ['/api/events msg_1', '/api/events msg_2', '/api/turn msg_1', '/api/turn msg_2'], 'each is read once; the last answer\'s are known');
  });
});

test('the same question twice has its results twice', () =>
  stage.visit({}, async (visitor, page) => {
    await eras(visitor);
    for (let time = 0; time < 2; time += 1) await visitor.ask('Welche Ablesungen fehlen 2024?');
    await becomes(async () => [await labels(ofTurn(page, 0)), await labels(ofTurn(page, 1))], [['Fehlende Ablesungen 2024'], ['Fehlende Ablesungen 2024']]);
  }));

const ROWS = Array.from({ length: 14 }, (_, at) => [`Ort ${at + 1}`, at === 3 ? null : [1234.5, 7.25, 0.125, 3, -12][at % 5], `${at % 2 ? '=' : ''}note ${at}`]);
const TABLE = { type: 'table', label: 'Orte', language: 'de', columns: ['ort', 'wert', 'notiz'], rows: ROWS, sample: true, note: 'the first 14 rows', sql: "SELECT ort, wert FROM orte WHERE a = 1 AND b = '2'" };

for (const [name, options] of [['desktop', {}], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: a table shows ten rows, then all beneath a head that stays, sorts by a column, and goes along as CSV`, () =>
    shows([TABLE], async (page, visitor) => {
      const table = page.locator('.display.table');
      const first = (at) => table.locator(`tbody tr td:nth-child(${at + 1})`).allInnerTexts();
      assert.equal((await first(0)).length, 10);
      assert.match(await table.locator('.caption').innerText(), /Orte\s+14 rows/);
      assert.match(await table.innerText(), /Sample data[^]*the first 14 rows/);

      // The decimal marks stand beneath each other.
      const marks = await table.locator('tbody td:nth-child(2)').evaluateAll((cells) =>
        cells.flatMap((cell) => {
          const at = cell.textContent.indexOf(',');
          const inner = [...cell.childNodes].find((node) => node.textContent.includes(','));
          if (at < 0 || !inner) return [];
          const node = inner.nodeType === 3 ? inner : inner.firstChild;
          const range = document.createRange();
          range.setStart(node, node.data.indexOf(','));
          range.setEnd(node, node.data.indexOf(',') + 1);
          return [Math.round(range.getBoundingClientRect().left * 2)];
        }),
      );
      assert.ok(marks.length >= 8 && Math.max(...marks) - Math.min(...marks) <= 1, marks.join());
      assert.deepEqual((await first(1)).slice(0, 5), ['1234,5', '7,25', '0,125', '', '-12']);

      await page.getByRole('button', { name: 'Show all 14 rows' }).click();
      await becomes(async () => (await first(0)).length, 14);
      const head = table.locator('thead th').first();
      const scroller = table.locator('.scroll');
      await scroller.evaluate((element) => (element.style.maxHeight = '160px', (element.scrollTop = 200)));
      await becomes(async () => Math.round((await head.boundingBox()).y - (await scroller.boundingBox()).y), 0, 'the head stays');
      await scroller.evaluate((element) => (element.style.maxHeight = ''));

      const sort = table.getByRole('button', { name: 'wert' });
      await sort.focus();
      await page.keyboard.press('Enter');
      await becomes(() => table.locator('th').nth(1).getAttribute('aria-sort'), 'ascending');
      const up = await first(1);
      assert.deepEqual([up[0], up.at(-1)], ['-12', ''], 'what is missing comes last');
      await page.keyboard.press('Enter');
      await becomes(() => table.locator('th').nth(1).getAttribute('aria-sort'), 'descending');
      const down = await first(1);
      assert.deepEqual([down[0], down.at(-1)], ['1234,5', '']);
      await page.keyboard.press('Enter');
      await becomes(() => table.locator('th').nth(1).getAttribute('aria-sort'), null);
      await table.getByRole('button', { name: 'ort', exact: true }).click();
      await becomes(async () => (await first(0)).slice(0, 3).join(), 'Ort 1,Ort 2,Ort 3');
      await visitor.finds('a sorted table');
      await visitor.picture(`${name}-table`);

      const [saved] = await Promise.all([page.waitForEvent('download'), table.getByRole('button', { name: 'Download Orte as CSV' }).click()]);
      assert.equal(saved.suggestedFilename(), 'Orte.csv');
      const csv = await readFile(await saved.path(), 'utf8');
      assert.deepEqual(csv.split('\r\n').slice(0, 5), ['\ufeffort,wert,notiz', 'Ort 1,1234.5,note 0', "Ort 2,7.25,'=note 1", 'Ort 3,0.125,note 2', "Ort 4,,'=note 3"]);

      await page.getByRole('button', { name: 'Show the first 10 rows' }).click();
      await becomes(async () => (await first(0)).length, 10);
      await copies(table.locator('.tools'), 'Copy Orte');
      assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^ort\twert\tnotiz\nOrt 1\t1234\.5\tnote 0\n/);
      await table.locator('.origin summary').click();
      await becomes(() => table.locator('.origin pre').innerText(), "SELECT ort, wert\nFROM orte\nWHERE a = 1\n  AND b = '2'");
      await table.locator('.origin .of-word').first().waitFor();
      await copies(table.locator('.origin'), 'Copy the code');
      assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^SELECT ort, wert\nFROM orte\n/);
      await visitor.finds('a table with its SQL');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
    }, { ...options, acceptDownloads: true, permissions: ['clipboard-read', 'clipboard-write'] }));
}

const NAMES = ['Wohnanlage Am Stadtpark', 'Gewerbehof Nordstraße', 'Haus Sonnenblick', 'Mehrfamilienhaus Lindenallee 12-18', 'Altenzentrum St. Martin', 'Reihenhäuser Im Grund'];
const MONTHS = Array.from({ length: 12 }, (_, at) => `2023-${String(at + 1).padStart(2, '0')}`);
const BARS = { type: 'chart', kind: 'bar', label: 'Kosten je Objekt', language: 'de', x: NAMES, series: [{ name: 'Kosten', values: [12345.5, 8000, -1500, 23000, null, 4100] }] };
const LINES = { type: 'chart', kind: 'line', label: 'Verbrauch', language: 'de', x: MONTHS, series: [{ name: 'Wärme', values: MONTHS.map((_, at) => 1000 + at * 100) }, { name: 'Wasser', values: MONTHS.map((_, at) => 500 - at * 10) }] };

/** Texts of a drawing that lie upon each other, or beyond it. */
const overlaps = (chart) =>
  chart.locator('svg').evaluate((svg) => {
    const edge = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll('text')].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
    const beyond = boxes.filter(({ box }) => box.left < edge.left - 1 || box.right > edge.right + 1).map(({ text }) => text);
    const pairs = boxes.flatMap((one, at) => boxes.slice(at + 1).filter(({ box }) => box.left < one.box.right && box.right > one.box.left && box.top + 2 < one.box.bottom && box.bottom > one.box.top + 2).map(({ text }) => `${one.text} / ${text}`));
    return [...beyond, ...pairs];
  });

for (const [name, options] of [['desktop', {}], ['phone', phone], ['phone-dark', { ...phone, ...dark }]]) {
  test(`${name}: bars with long names lie, no text is upon another, and each value can be read with a pointer and with keys`, () =>
    shows([BARS, LINES, { ...BARS, label: 'Monate', x: MONTHS, series: LINES.series }], async (page, visitor) => {
      const chart = (label) => page.locator('.display.chart').filter({ has: page.locator('.title', { hasText: label }) });
      const bars = chart('Kosten');
      const boxes = await bars.locator('.bars rect').evaluateAll((all) => all.map((rect) => ({ width: Number(rect.getAttribute('width')), height: Number(rect.getAttribute('height')) })));
      assert.equal(boxes.length, 5);
      assert.ok(boxes[3].width > boxes[0].width && boxes[0].height === boxes[3].height, 'they lie');
      assert.equal(await bars.locator('.of-label').count(), 6, 'each has its name');
      const months = await chart('Monate').locator('.bars rect').evaluateAll((all) => all.map((rect) => Number(rect.getAttribute('width'))));
      assert.equal(new Set(months.map(Math.round)).size, 1, 'months stand');
      for (const label of ['Kosten', 'Verbrauch', 'Monate']) assert.deepEqual(await overlaps(chart(label)), [], label);
      const width = await bars.locator('svg').evaluate((svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width);
      assert.ok(Math.abs(width - 1) < 0.01, 'texts have their size');

      const plot = chart('Verbrauch').locator('.plot');
      await plot.focus();
      await page.keyboard.press('End');
      await becomes(() => plot.getAttribute('aria-valuetext'), '2023-12: Wärme 2100, Wasser 390');
      await page.keyboard.press('ArrowLeft');
      await becomes(() => chart('Verbrauch').locator('.reading').innerText().then((text) => text.split(/\s+/).join(' ')), '2023-11 Wärme 2000 Wasser 400');
      await visitor.finds('a chart that is read');
      await visitor.picture(`${name}-charts`);
      const lying = bars.locator('.plot');
      await lying.scrollIntoViewIfNeeded();
      const { x, y, width: wide } = await lying.boundingBox();
      await page.mouse.move(x + wide / 2, y + 4 + 3 * 24 + 10);
      await becomes(() => bars.locator('.reading b').innerText(), NAMES[3]);
      assert.match(await bars.locator('.reading').innerText(), /23\.000/);
      await page.mouse.move(x + wide / 2, y + 4 + 4 * 24 + 10);
      await becomes(() => bars.locator('.reading data').innerText(), '–');
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
    }, options));
}

test('a chart goes along as a drawing and as a picture, as it is on the screen', () =>
  shows([LINES], async (page) => {
    const saved = async (kind) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: `Download Verbrauch as ${kind}` }).click()]);
      return [download.suggestedFilename(), await readFile(await download.path())];
    };
    const [svgName, svg] = await saved('SVG');
    assert.equal(svgName, 'Verbrauch.svg');
    const markup = svg.toString();
    assert.match(markup, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    for (const part of ['>Verbrauch</text>', '>Wärme</text>', '>2023-01</text>', 'stroke-dasharray="7px, 4px"']) assert.ok(markup.includes(part), part);
    assert.doesNotMatch(markup, /class=|style=|var\(|light-dark/);
    const [pngName, png] = await saved('PNG');
    assert.equal(pngName, 'Verbrauch.png');
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    assert.ok(png.readUInt32BE(16) > 1000 && png.length > 5000, 'twice as many pixels as on the screen');
  }, { acceptDownloads: true }));

test('in an answer, words of a table stay whole, figures stand at the right, code has colours, and what is wider fades out at its edge', () => {
  const text = '7. seven\n8. eight\n\n| a | b |\n|:-:|--:|\n| x | y |\n\n| Begriff | Wert |\n|---|---|\n| Heizkostenverordnungsnovelle | 1.234,50 € |\n| Verbrauchsabrechnungszeitraum mit vielen weiteren Spalten und Worten | 12 % |\n\n```sql\nSELECT ' + 'a_rather_long_column_name, '.repeat(12) + 'b FROM t\n```\n';
  const { prepare, inject, sockets } = wire();
  return stage.visit({ prepare, ...phone }, async (visitor, page) => {
    await becomes(async () => sockets.length > 0, true);
    const event = (seq, further) => inject({ turn: 'msg_1', frame: 1, at: Date.now(), node: 'output', seq: 1_000_000 + seq, ...further });
    event(1, { event: 'turn_started', message: 'x', entry: 'message' });
    event(2, { event: 'streaming', text });
    event(3, { event: 'frame_trace', trace: { id: 'msg_1', message: 'x', graph: 'g', path: 'reflex', started_at: Date.now(), total_frames: 1, total_ms: 1, status: 'done', frames: [], background: [] } });
    const table = page.locator('.answer table').nth(1);
    await table.waitFor();
    await becomes(() => page.locator('.turn').getAttribute('data-status'), 'done');
    assert.deepEqual(await page.locator('.answer table').first().locator('td').evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell).textAlign.replace('-webkit-', ''))), ['center', 'right'], 'as it was written');
    assert.equal(await page.locator('.answer ol').getAttribute('start'), '7');
    await visitor.picture('phone-answer');
    const lines = await table.locator('td').first().evaluate((cell) => Math.round(cell.getBoundingClientRect().height / Number.parseFloat(getComputedStyle(cell).lineHeight)));
    assert.equal(lines, 1 + Math.round(0.8 / 1.45), 'one line');
    assert.deepEqual(await table.locator('td:nth-child(2)').evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell).textAlign.replace('-webkit-', ''))), ['right', 'right']);
    const code = page.locator('.answer .code pre');
    await code.locator('.of-word').first().waitFor();
    await becomes(() => code.getAttribute('data-more'), 'end');
    assert.notEqual(await code.evaluate((pre) => getComputedStyle(pre).maskImage), 'none');
    await code.evaluate((pre) => (pre.scrollLeft = 40));
    await becomes(() => code.getAttribute('data-more'), 'start end');
    await code.evaluate((pre) => (pre.scrollLeft = pre.scrollWidth));
    await becomes(() => code.getAttribute('data-more'), 'start');
    await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
    await visitor.picture('phone-answer');
    await visitor.finds('an answer with a table and code');
  });
});
