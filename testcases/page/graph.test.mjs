// The panel Graph: what runs lights up and stays lit, a node can be looked into, and the graph can be changed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { layout } from '../../static/layout.js';
import { lit } from '../../static/highlight.js';
import { SLOW, Stage, becomes, dark, phone } from './stage.mjs';

const stage = new Stage({ wordPause: 20 });
const slow = new Stage(SLOW);
before(() => Promise.all([stage.open(), slow.open()]));
after(() => Promise.all([stage.close(), slow.close()]));

const DIRECTOR = ['input', 'director', 'thinker', 'output'];

test('the drawing holds the nodes of the graph and its edges', () =>
  stage.visit({}, async (visitor, page) => {
    await open(page);
    const { cytoscape } = await visitor.read('/api/graph/active');
    const drawn = await drawing(page);
    assert.deepEqual(Object.keys(drawn.nodes).sort(), cytoscape.nodes.map(({ data }) => data.id).sort());
    assert.equal(drawn.edges, cytoscape.edges.length);
    assert.deepEqual(await states(page), {}, 'nothing is lit before the first turn');
    await becomes(() => isPainted(page, 'director'), true);
  }));

test('what runs lights up, and the way taken stays lit until the next turn', () =>
  slow.visit({}, async (visitor, page) => {
    await open(page);
    await visitor.say('tell me a joke');
    const taken = ['input-direct-director', 'director-think-thinker', 'thinker-output-output', 'sensor-before-input'].sort();
    await becomesLit(page, { sensor: 'done', input: 'done', director: 'done', thinker: 'done', output: 'running' }, taken);
    await visitor.ended(page.locator('.turn').first());
    await becomesLit(page, { sensor: 'done', input: 'done', director: 'done', thinker: 'done', output: 'done', ui: 'done', memorizer: 'done' });
    await page.locator('.paths [aria-current]', { hasText: 'director' }).waitFor();
    assert.match(await page.locator('.paths [aria-current]').innerText(), /4$/);

    await visitor.ask('hello');
    await page.locator('.paths [aria-current]', { hasText: 'reflex' }).waitFor();
    await node(page, 'director', 'idle').waitFor();
    await node(page, 'memorizer', 'idle').waitFor();
    const way = await states(page);
    await becomesLit(page, way);
    const { taken: reflex } = await drawing(page);
    assert.ok(reflex.includes('input-reflex-output') && !reflex.includes('input-direct-director'), reflex.join());
    await visitor.reload();
    await becomesLit(page, way, reflex, 'the way is still lit after a reload');
  }));

test('a panel that is opened in the middle of a turn shows its path from the beginning', () =>
  slow.visit({}, async (visitor, page) => {
    await visitor.say('tell me a long story');
    await page.locator('.turn[data-status=running] .answer').waitFor();
    await open(page);
    await becomes(() => states(page), { sensor: 'done', input: 'done', director: 'done', thinker: 'done', output: 'running' });
    await page.getByRole('button', { name: 'Stop' }).click();
  }));

test('a turn that is stopped shows where', () =>
  slow.visit({}, async (visitor, page) => {
    await open(page);
    await visitor.say('tell me a long story');
    await node(page, 'output', 'running').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await node(page, 'output', 'stopped').waitFor();
    await drawnAs(page, 'output', 'stopped');
  }));

test('a click on a node shows its prompt, its schema, the tools that are sent with it, and what went in and came out', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('give me two buttons, red and blue');
    await open(page);
    // Until then the prompt may change, and the drawing's place.
    await node(page, 'memorizer', 'done').waitFor();
    await fits(page);
    await page.mouse.click(...(await placeOf(page, 'director')));
    const shown = page.locator('.node');
    await shown.getByRole('heading', { name: 'director' }).waitFor();
    assert.match(await shown.locator('.facts').first().innerText(), /model strong · 8 tools/);
    assert.match(await shown.locator('[data-part=out] pre').innerText(), /"emit_actions"/);
    await unfold(shown, 'in');
    assert.match(await shown.locator('[data-part=in] pre').last().innerText(), /give me two buttons/);
    await unfold(shown, 'prompt');
    const asked = await visitor.read('/api/graph/prompt', { node: 'director' });
    const messages = shown.locator('[data-part=prompt] > .message');
    await becomes(() => messages.count(), asked.messages.length);
    for (const [at, { role, content }] of asked.messages.entries()) {
      assert.equal(await messages.nth(at).locator('summary b').innerText(), role);
      assert.equal((await messages.nth(at).locator('pre').textContent()).trim(), content.trim());
    }
    await unfold(shown, 'schema');
    assert.deepEqual(JSON.parse(await shown.locator('[data-part=schema] pre').innerText()), asked.schema);
    await becomes(() => shown.locator('.tool-list dt').count(), asked.tools.length);
    await isChosen(page, 'director');
  }));

test('a node shows what it would be asked now, and what was remembered behind the answer is in it', () =>
  slow.visit({}, async (visitor, page) => {
    await open(page);
    await page.locator('[data-node=director]').click();
    await visitor.ask('my name is Ada');
    await page.locator('.node [data-part=prompt] pre', { hasText: '"user_name":"Ada"' }).waitFor({ state: 'attached' });
  }));

test('with the keyboard alone, by the list of nodes; one that calls no model says so', () =>
  stage.visit({}, async (visitor, page) => {
    await visitor.ask('why is the sky blue?');
    await open(page);
    await page.locator('[data-node=thinker]').focus();
    await page.keyboard.press('Enter');
    await page.locator('.node', { hasText: 'It made no call.' }).waitFor();
    await isChosen(page, 'thinker');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Space');
    await page.locator('.node', { hasText: 'msg_1' }).getByRole('heading', { name: 'input' }).waitFor();
    await page.locator('[data-node=memorizer]').press('Enter');
    await page.locator('.node', { hasText: 'after the answer' }).locator('[data-part=out] pre').waitFor();
    await page.locator('[data-node=ui]').press('Enter');
    await page.locator('.node', { hasText: 'calls no model' }).waitFor();
    assert.equal(await page.locator('.node [data-part=prompt]').count(), 0);
    await page.locator('[data-node=ui]').press('Enter');
    await page.locator('.node').waitFor({ state: 'detached' });
  }));

test('the graph is switched while the sockets stay open, and the conversation is kept', () =>
  stage.visit({ prepare: countSockets }, async (visitor, page) => {
    await visitor.ask('my name is Ada');
    await open(page);
    const sockets = await chatSockets(page);
    await change(page, 'v4-eras');
    await page.locator('.note', { hasText: 'The conversation continues' }).waitFor();
    const { nodes } = await drawing(page);
    assert.ok('pa' in nodes && !('director' in nodes), Object.keys(nodes).join());
    await visitor.showsTheHistory();
    assert.equal(await page.locator('.question').count(), 1);
    await visitor.ask('why is the sky blue?');
    await page.locator('.paths [aria-current]', { hasText: 'pa' }).waitFor();
    assert.deepEqual(await chatSockets(page), sockets, 'the same socket object, still open, and no other');
    assert.equal(await page.locator('.note').innerText(), '', 'the next turn makes it old');

    await page.getByRole('button', { name: 'Change' }).click();
    await page.locator('.choice', { hasText: 'v1-direct' }).click();
    await page.getByLabel('Keep the conversation').uncheck();
    await page.getByText('The conversation is erased').waitFor();
    await page.getByRole('button', { name: 'Switch to v1-direct' }).click();
    await page.locator('.graph-name', { hasText: 'v1-direct' }).waitFor();
    await page.locator('.invitation').waitFor();
    await page.locator('.note', { hasText: 'A new conversation starts with the graph v1-direct.' }).waitFor();
    assert.deepEqual(await chatSockets(page), sockets);
  }));

test('a switch while a turn runs says that it stops it, and does', () =>
  slow.visit({}, async (visitor, page) => {
    await open(page);
    await visitor.say('tell me a long story');
    await node(page, 'output', 'running').waitFor();
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByText('A turn is running. Switching stops it.').waitFor();
    await page.locator('.choice', { hasText: 'v1-direct' }).click();
    await page.getByRole('button', { name: 'Switch to v1-direct' }).click();
    await page.locator('.graph-name', { hasText: 'v1-direct' }).waitFor();
    await page.locator('.turn[data-status=stopped]').waitFor();
    await page.locator('.said-of-graph', { hasText: 'This turn ran on v3-framed' }).waitFor();
    await becomesLit(page, {}, []);
  }));

test('a switch that was made elsewhere is noticed', () =>
  stage.visit({}, async (visitor, page) => {
    await open(page);
    const response = await fetch(`${stage.address}/api/graph/switch?session=${visitor.session}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'v4-eras', keep: true }),
    });
    assert.equal(response.status, 200);
    await page.locator('.graph-name', { hasText: 'v4-eras' }).waitFor();
  }));

test('an answer that breaks off is none: it is said, and asked for again', () => {
  let isBroken = true;
  const prepare = (page) =>
    page.route('**/api/graph/active*', (route) => (isBroken ? route.fulfill({ contentType: 'application/json', body: '{"name":"v3-fra' }) : route.continue()));
  return stage.visit({ prepare }, async (visitor, page) => {
    await visitor.open('graph');
    await page.getByText('The answer broke off.').waitFor();
    isBroken = false;
    await open(page);
  });
});

test('without the drawing the list says the same, and the drawing can be asked for again', () => {
  let isClosed = true;
  const prepare = (page) => page.route(/cytoscape\.mjs/, (route) => (isClosed ? route.abort() : route.continue()));
  return stage.visit({ prepare, tolerates: /Failed to load resource/ }, async (visitor, page) => {
    await page.goto(visitor.url('#/graph'));
    await page.getByText('The drawing could not be fetched').waitFor();
    await visitor.ask('hello');
    await node(page, 'output', 'done').waitFor();
    assert.equal((await states(page)).input, 'done');
    isClosed = false;
    await page.getByRole('tabpanel', { name: 'Graph' }).getByRole('button', { name: 'Try again' }).click();
    await page.locator('.drawing canvas').first().waitFor();
  });
});

test('the drawing follows the theme', () =>
  stage.visit({}, async (_visitor, page) => {
    await open(page);
    const day = await colourOf(page, 'director');
    await page.getByRole('button', { name: 'Use the dark theme' }).click();
    await page.waitForFunction((before) => document.querySelector('.drawing')._cyreg.cy.getElementById('director').style('background-color') !== before, day);
    const night = await colourOf(page, 'director');
    assert.ok(brightness(night) < brightness(day), `${day} became ${night}`);
  }));

for (const [name, options] of [
  ['light', {}],
  ['dark', dark],
  ['phone', phone],
  ['phone-dark', { ...phone, ...dark }],
]) {
  test(`${name}: axe finds nothing, nothing is wider than the window, and the whole drawing is seen`, () =>
    stage.visit(options, async (visitor, page) => {
      await visitor.ask('hello');
      await open(page);
      await node(page, 'output', 'done').waitFor();
      for (const graph of ['v4-eras', 'v1-direct', 'v3-framed']) {
        await change(page, graph);
        await fits(page);
      }
      await page.locator('[data-node=director]').click();
      await page.locator('[data-part=schema]').waitFor();
      await unfold(page.locator('.node'), 'schema');
      await visitor.finds('a node');
      await page.getByRole('button', { name: 'Change' }).click();
      await visitor.finds('the choice of graphs');
      await visitor.picture(`graph-${name}`);
      await fits(page);
    }));
}

// --- the pure parts

test('no two nodes of a drawing touch, every route leads down, and a bowed edge stands clear of what it passes', async () => {
  const graphs = ['v1-direct', 'v3-framed', 'v4-eras'];
  for (const graph of graphs) {
    await stage.visit({}, async (visitor) => {
      await fetch(`${stage.address}/api/graph/switch?session=${visitor.session}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: graph }) });
      const { cytoscape } = await visitor.read('/api/graph/active');
      const edges = cytoscape.edges.map(({ data }) => data);
      const { places, bows } = layout(cytoscape.nodes.map(({ data }) => data.id), edges);
      const all = Object.entries(places);
      assert.equal(all.length, cytoscape.nodes.length);
      for (const [one, a] of all) for (const [other, b] of all) {
        assert.ok(one === other || Math.abs(a.x - b.x) >= 120 || Math.abs(a.y - b.y) >= 60, `${graph}: ${one} and ${other}`);
      }
      for (const { id, kind, source, target } of edges) {
        if (kind !== 'route') continue;
        assert.ok(places[source].y < places[target].y, id);
        const passed = all.filter(([, { y }]) => y > places[source].y && y < places[target].y);
        const lane = (places[source].x + places[target].x) / 2 + (bows[id] ?? 0);
        for (const [name, { x }] of passed) assert.ok(Math.abs(x - lane) > 54, `${graph}: ${id} runs through ${name}`);
      }
    });
  }
});

test('what is lit comes from a turn of the same graph, as it ended', () => {
  const edges = [
    { id: 'a-go-b', source: 'a', target: 'b', label: 'go', kind: 'route' },
    { id: 'a-leap-b', source: 'a', target: 'b', label: 'leap', kind: 'route' },
    { id: 'b-with-c', source: 'b', target: 'c', label: 'with', kind: 'with' },
    { id: 'b-after-m', source: 'b', target: 'm', label: 'after', kind: 'after' },
  ].map((data) => ({ data }));
  const graph = { name: 'tiny', cytoscape: { nodes: [], edges }, paths: [] };
  const frames = [{ nodes: ['a'], route: 'leap' }, { nodes: ['b', 'c'], route: '' }];
  for (const [turn, nodes, taken, call] of [
    [{ graph: 'tiny', status: 'done', frames }, { a: 'done', b: 'done', c: 'done' }, ['a-leap-b', 'b-with-c']],
    [{ graph: 'tiny', status: 'error', frames }, { a: 'done', b: 'error', c: 'error' }, ['a-leap-b', 'b-with-c']],
    [{ graph: 'tiny', status: 'cancelled', frames: frames.slice(0, 1) }, { a: 'stopped' }, []],
    [{ status: 'running', frames: [{ nodes: ['a'], route: '' }, { nodes: ['b'], route: '' }] }, { a: 'done', b: 'running' }, ['a-go-b', 'a-leap-b']],
    [{ graph: 'other', status: 'done', frames }, {}, []],
    [undefined, {}, []],
    [{ graph: 'tiny', status: 'done', frames: frames.slice(1), background: [{ label: 'm', status: 'done' }] }, { b: 'done', c: 'done', m: 'done' }, ['b-with-c', 'b-after-m']],
    [{ graph: 'tiny', status: 'done', frames: frames.slice(1) }, { b: 'done', c: 'done', m: 'error' }, ['b-with-c', 'b-after-m'], { turn: 'msg_1', status: 'error' }],
    [{ graph: 'tiny', status: 'done', frames: frames.slice(1) }, { b: 'done', c: 'done', m: 'running' }, ['b-with-c'], { turn: 'msg_0', status: 'running' }],
    [{ graph: 'tiny', status: 'done', frames: frames.slice(1) }, { b: 'done', c: 'done' }, ['b-with-c'], { turn: 'msg_0', status: 'done' }],
    [{ graph: 'other', status: 'done', frames }, {}, [], { turn: 'msg_1', status: 'done' }],
  ]) {
    const seen = lit(graph, turn && { id: 'msg_1', ...turn }, call ? [{ node: 'm', label: 'memorizer', ...call }] : []);
    assert.deepEqual([seen.nodes, [...seen.edges]], [nodes, taken], JSON.stringify([turn, call]));
  }
});

// --- hands and eyes

async function open(page) {
  await page.evaluate(() => (location.hash = '#/graph'));
  await page.waitForFunction(() => document.querySelector('.drawing canvas') && document.querySelector('.drawing')._cyreg.cy.nodes().length > 0);
}

/** @param {'idle' | 'running' | 'done' | 'error' | 'stopped'} state */
function node(page, name, state) {
  return page.locator(`.nodes [data-node=${name}][data-state=${state}]`);
}

/** Waits until the list and the drawing say this of the nodes at the same time, and the drawing this of the edges. */
async function becomesLit(page, wanted, edges, message) {
  const shown = async () => {
    const { listed, nodes, taken } = await drawing(page);
    const drawn = Object.fromEntries(Object.entries(nodes).filter(([, state]) => state));
    return { listed, drawn, taken: edges && taken };
  };
  await becomes(shown, { listed: wanted, drawn: wanted, taken: edges }, message);
}

async function states(page) {
  return (await drawing(page)).listed;
}

/** What the drawing holds at this moment, and what the list says. The drawing follows a painted frame later. */
function drawing(page) {
  return page.evaluate(() => {
    // Fetched with the panel, it may still be on its way.
    const cy = document.querySelector('.drawing')?._cyreg?.cy;
    const stateOf = (one) => ['running', 'done', 'error', 'stopped'].find((state) => one.hasClass(state)) ?? '';
    const listed = [...document.querySelectorAll('.nodes [data-node]')].map(({ dataset }) => [dataset.node, dataset.state]);
    return {
      listed: Object.fromEntries(listed.filter(([, state]) => state !== 'idle')),
      nodes: Object.fromEntries(cy?.nodes().map((one) => [one.id(), stateOf(one)]) ?? []),
      edges: cy?.edges().length,
      taken: cy?.edges('.taken').map((edge) => edge.id()).sort(),
      chosen: cy?.nodes('.chosen').map((one) => one.id()).join(),
    };
  });
}

async function drawnAs(page, name, state) {
  await becomes(async () => (await drawing(page)).nodes[name], state);
}

async function isChosen(page, name) {
  await becomes(async () => (await drawing(page)).chosen, name);
}

function placeOf(page, name) {
  return page.evaluate((id) => {
    const host = document.querySelector('.drawing');
    const { x, y } = host._cyreg.cy.getElementById(id).renderedPosition();
    const box = host.getBoundingClientRect();
    return [box.x + x, box.y + y];
  }, name);
}

/** Whether the canvas has something else than its ground where a node stands. */
function isPainted(page, name) {
  return page.evaluate((id) => {
    const host = document.querySelector('.drawing');
    const { x1, y1, w, h } = host._cyreg.cy.getElementById(id).renderedBoundingBox();
    return [...host.querySelectorAll('canvas')].some((canvas) => {
      const scale = canvas.width / canvas.clientWidth;
      const { data } = canvas.getContext('2d').getImageData(x1 * scale, y1 * scale, w * scale, h * scale);
      return new Set(new Uint32Array(data.buffer)).size > 2;
    });
  }, name);
}

function colourOf(page, name) {
  return page.evaluate((id) => document.querySelector('.drawing')._cyreg.cy.getElementById(id).style('background-color'), name);
}

function brightness(colour) {
  return colour.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
}

async function unfold(shown, part) {
  await shown.locator(`[data-part=${part}] > summary`).click();
}

async function change(page, name) {
  await page.getByRole('button', { name: 'Change' }).click();
  await page.locator('.choice', { hasText: name }).click();
  await page.getByRole('button', { name: `Switch to ${name}` }).click();
  await page.locator('.graph-name', { hasText: name }).waitFor();
  // Another look may have told of the new graph before the answer to the switch closes the choice.
  await page.locator('#graph-choice').waitFor({ state: 'hidden' });
  await becomes(() => drawsTheGraph(page), true);
}

/** The drawing holds the nodes of the list, and not those of the graph before. */
async function drawsTheGraph(page) {
  const listed = await page.locator('.nodes [data-node]').evaluateAll((buttons) => buttons.map(({ dataset }) => dataset.node));
  return listed.sort().join() === Object.keys((await drawing(page)).nodes).sort().join();
}

/** Keeps every socket that the page opens. */
function countSockets(page) {
  return page.addInitScript(() => {
    globalThis.opened = [];
    globalThis.WebSocket = class extends WebSocket {
      constructor(...all) {
        super(...all);
        globalThis.opened.push(this);
      }
    };
  });
}

/** The chat's sockets so far: which one of all it is, and whether it is open. */
function chatSockets(page) {
  return page.evaluate(() => globalThis.opened.flatMap((socket, at) => (/\/ws\/trace\?/.test(socket.url) ? [[at, socket.readyState]] : [])));
}

/** Nothing is wider than the window, and all of the drawing stands within its frame. */
async function fits(page) {
  await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
  await page.waitForFunction(() => {
    const host = document.querySelector('.drawing');
    const { x1, y1, x2, y2 } = host._cyreg.cy.elements().renderedBoundingBox();
    return x1 >= 0 && y1 >= 0 && x2 <= host.clientWidth && y2 <= host.clientHeight;
  });
}
