// What of a graph is lit: the nodes that a turn has come through, those that run now, and the edges that it took.
//
// Pure. A turn in progress and a finished one have the same shape: frames with their nodes, and the route that led on.

/** @typedef {import('./contract.js').Graph} Graph */
/** @typedef {import('./contract.js').GraphEdge} GraphEdge */
/** @typedef {import('./contract.js').LiveTurn} LiveTurn */
/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {'idle' | 'running' | 'done' | 'error' | 'stopped'} NodeState */
/** @typedef {{turn: string, nodes: Record<string, NodeState>, edges: Set<string>}} Lit */

/** A call behind an answer. @typedef {{node?: string, label: string, status: string, turn: string}} Behind */

/** How a turn ended is how its last frame did. @type {Record<string, NodeState>} */
const ENDED = { error: 'error', cancelled: 'stopped' };

/** @param {Graph} graph @param {LiveTurn | Trace | undefined} turn @param {Behind[]} behind @returns {Lit} */
export function lit(graph, turn, behind) {
  /** @type {Lit} */
  const seen = { turn: turn?.id ?? '', nodes: {}, edges: new Set() };
  const edges = graph.cytoscape.edges.map(({ data }) => data);
  if (turn && isOf(graph, turn)) {
    const isRunning = turn.status === 'running';
    turn.frames.forEach((frame, at) => {
      const isLast = at === turn.frames.length - 1;
      const state = isLast ? (isRunning ? 'running' : (ENDED[turn.status] ?? 'done')) : 'done';
      for (const node of frame.nodes) seen.nodes[node] = state;
      for (const edge of taken(edges, frame, turn.frames[at + 1])) seen.edges.add(edge.id);
    });
    before(seen, edges, turn.frames[0]?.nodes ?? []);
  }
  const own = turn && isOf(graph, turn) ? turn.id : undefined;
  const after = new Set();
  /** @type {Behind[]} */
  const told = own && turn && 'background' in turn ? (turn.background ?? []).map(({ label, status }) => ({ label, status, turn: turn.id })) : [];
  for (const { node, label, status, turn: of } of [...told, ...behind]) {
    const name = node ?? label;
    // What still runs is shown whichever turn it belongs to.
    if (status === 'running') seen.nodes[name] = 'running';
    else if (of === own) seen.nodes[name] = status === 'done' ? 'done' : 'error';
    if (of === own) after.add(name);
  }
  for (const { id, kind, source, target } of edges) {
    if (kind === 'after' && seen.nodes[source] && after.has(target)) seen.edges.add(id);
  }
  return seen;
}

/** A turn of another graph lights nothing up. @param {Graph} graph @param {LiveTurn | Trace} turn */
function isOf(graph, turn) {
  return !('graph' in turn) || turn.graph === graph.name;
}

/** The edges within a frame, and those from it to the next one. While a turn runs its routes are not told yet: where it came
 * to tells as much. @param {GraphEdge[]} edges @param {{nodes: string[], route: string}} frame @param {{nodes: string[]}} [next] */
function taken(edges, { nodes, route }, next) {
  return edges.filter(({ kind, source, target, label }) => {
    if (!nodes.includes(source)) return false;
    if (kind === 'with') return nodes.includes(target);
    return kind === 'route' && next?.nodes.includes(target) && (!route || route === label);
  });
}

/** What is sampled when a turn starts leaves no record of its own. @param {Lit} seen @param {GraphEdge[]} edges @param {string[]} first */
function before(seen, edges, first) {
  for (const { id, kind, source, target } of edges) {
    if (kind !== 'before' || !first.includes(target)) continue;
    seen.nodes[source] = 'done';
    seen.edges.add(id);
  }
}

/** The graph's path that a turn took: by its nodes, for several have the same name.
 * @param {Graph} graph @param {LiveTurn | Trace | undefined} turn */
export function pathOf(graph, turn) {
  if (!turn || !isOf(graph, turn) || turn.status === 'running') return undefined;
  const came = turn.frames.map(({ nodes }) => nodes);
  const isTaken = (/** @type {string[]} */ nodes) => nodes.length === came.length && nodes.every((node, at) => came[at].includes(node));
  return graph.paths.find(({ name, nodes }) => 'path' in turn && name === turn.path && isTaken(nodes));
}
