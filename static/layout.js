// Where the nodes of a graph stand in its drawing: frames from top to bottom, so that a path reads downwards.
//
// Pure. Graphs are small and without a circle. A node stands one row below the lowest of those that lead to it. What runs
// with a node stands at its right, what runs before at the right of the first row, what runs after in a row of its own below.
// An edge that leaves rows out bows around what stands there: the shortest one innermost, right and left in turn.

/** @typedef {import('./contract.js').GraphEdge} GraphEdge */
/** @typedef {{x: number, y: number}} Place */
/** @typedef {{places: Record<string, Place>, bows: Record<string, number>}} Layout  `bows`: by edge, how far its middle stands aside */

const ROW = 82;
const COLUMN = 156;
export const NODE_WIDTH = 108;
const LANE = 36;

/** @param {string[]} names @param {GraphEdge[]} edges @returns {Layout} */
export function layout(names, edges) {
  const routes = edges.filter(({ kind }) => kind === 'route');
  const rows = placedInRows(names, edges, routes);
  /** @type {Record<string, Place>} */
  const places = {};
  rows.forEach((row, at) => {
    row.forEach((name, place) => (places[name] = { x: (place - (row.length - 1) / 2) * COLUMN, y: at * ROW }));
  });
  for (const { kind, source, target } of edges) {
    if (kind === 'with') beside(places, target, source);
    if (kind === 'before') beside(places, source, target);
  }
  const lowest = Math.max(0, ...Object.values(places).map(({ y }) => y));
  for (const { kind, target } of edges) if (kind === 'after') places[target] ??= { x: 0, y: lowest + ROW };
  for (const name of names) if (!places[name]) beside(places, name, rows[0]?.[0]);
  return { places, bows: bowed(routes, rows, places) };
}

/** @param {string[]} names @param {GraphEdge[]} edges @param {GraphEdge[]} routes @returns {string[][]} */
function placedInRows(names, edges, routes) {
  const aside = new Set(edges.flatMap(({ kind, source, target }) => (kind === 'before' ? [source] : kind === 'route' ? [] : [target])));
  /** @type {string[][]} */
  const rows = [];
  for (const name of names) {
    if (!aside.has(name)) (rows[depth(name, routes)] ??= []).push(name);
  }
  return Array.from(rows, (row) => row ?? []).filter((row) => row.length > 0);
}

/** @param {string} name @param {GraphEdge[]} routes @returns {number} */
function depth(name, routes) {
  return Math.max(0, ...routes.filter(({ target }) => target === name).map(({ source }) => depth(source, routes) + 1));
}

/** At the right of all that stands in a row. @param {Record<string, Place>} places @param {string} name @param {string | undefined} neighbour */
function beside(places, name, neighbour) {
  const near = neighbour === undefined ? { x: -COLUMN, y: 0 } : places[neighbour];
  if (!near || places[name]) return;
  const row = Object.values(places).filter(({ y }) => y === near.y);
  places[name] = { x: Math.max(near.x, ...row.map(({ x }) => x)) + COLUMN, y: near.y };
}

/** @param {GraphEdge[]} routes @param {string[][]} rows @param {Record<string, Place>} places */
function bowed(routes, rows, places) {
  /** @type {Record<string, number>} */
  const bows = {};
  /** @type {Record<number, {x: number, from: number, to: number}[]>} */
  const lanes = { [-1]: [], 1: [] };
  const leaping = routes
    .map((edge) => ({ edge, from: places[edge.source], to: places[edge.target] }))
    .filter(({ from, to }) => to.y - from.y > ROW)
    .sort((one, other) => one.to.y - one.from.y - (other.to.y - other.from.y));
  for (const { edge, from, to } of leaping) {
    const middle = (from.x + to.x) / 2;
    const side = Math.sign(middle) || (lanes[-1].length < lanes[1].length ? -1 : 1);
    const between = rows.slice(from.y / ROW + 1, to.y / ROW).flat();
    const near = lanes[side].filter((lane) => lane.from < to.y && from.y < lane.to);
    const x = Math.max(...between.map((name) => side * places[name].x + NODE_WIDTH / 2), ...near.map((lane) => lane.x)) + LANE;
    lanes[side].push({ x, from: from.y, to: to.y });
    bows[edge.id] = side * x - middle;
  }
  return bows;
}
