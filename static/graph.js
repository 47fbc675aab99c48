// The panel Graph: the session's graph with what runs lit up, each node closely, its paths, and the choice of another graph.

import { html, useEffect, useState } from './vendor/ui.mjs';
import { Drawing } from './drawing.js';
import { graph, graphs, readActive, readGraphs, switchTo, trouble } from './graphs.js';
import { behind, finished, renewals, running } from './live.js';
import { lit, pathOf } from './highlight.js';
import { NodeView } from './node.js';
import { turnAddress } from './route.js';
import { busy, turns } from './session.js';
import { BROKEN } from './turn.js';
import { counted } from './words.js';

/** @typedef {import('./contract.js').Graph} Graph */
/** @typedef {import('./contract.js').GraphEntry} GraphEntry */
/** @typedef {import('./contract.js').GraphNode} GraphNode */
/** @typedef {import('./contract.js').GraphPath} GraphPath */
/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./highlight.js').Lit} Lit */

export function GraphPanel() {
  useEffect(readGraphs, []);
  useEffect(readActive, [renewals.value]);
  const [chosen, setChosen] = useState('');
  const active = graph.value;
  if (!active) return html`<p class="hint">${trouble.value || 'Reading the graph …'}</p>`;

  const latest = finished.value[0];
  const turn = running.value ?? latest;
  const seen = lit(active, turn, behind.value);
  const node = active.nodes.find(({ name }) => name === chosen);
  return html`
    <div class="graph">
      <${Picker} active=${active} />
      <${Drawing} graph=${active} lit=${seen} chosen=${chosen} onChoose=${setChosen} />
      <${Said} active=${active} turn=${turn} lit=${seen} />
      <${Nodes} nodes=${active.nodes} lit=${seen} chosen=${chosen} onChoose=${setChosen} />
      ${node && html`<${NodeView} key=${`${active.name} ${node.name}`} node=${node} trace=${lastRun(active, node.name)} isRunning=${seen.nodes[node.name] === 'running'} mark=${`${latest?.id} ${latest?.background?.length}`} />`}
      <${Paths} paths=${active.paths} taken=${pathOf(active, turn)} />
    </div>
  `;
}

/** The last finished turn of this graph in which a node ran, or behind which it has. @param {Graph} graph @param {string} node */
function lastRun({ name }, node) {
  const isIn = (/** @type {Trace} */ { frames, background = [] }) => frames.some(({ nodes }) => nodes.includes(node)) || background.some(({ label }) => label === node);
  return finished.value.find((trace) => trace.graph === name && isIn(trace));
}

/** @param {{active: Graph, turn: import('./contract.js').LiveTurn | Trace | undefined, lit: Lit}} props */
function Said({ active, turn, lit: { nodes } }) {
  const at = Object.keys(nodes).filter((name) => nodes[name] === 'running');
  if (at.length > 0) return html`<p class="said-of-graph"><b>${at.join(' + ')}</b> ${at.length > 1 ? 'run' : 'runs'}</p>`;
  if (!turn) return html`<p class="said-of-graph">Say something, and its path lights up here.</p>`;
  const link = html`<a href=${turnAddress(turn.id)}>${turn.id}</a>`;
  if ('graph' in turn && turn.graph !== active.name) return html`<p class="said-of-graph">The last turn, ${link}, ran on ${turn.graph}.</p>`;
  const facts = 'path' in turn ? [turn.path, counted(turn.total_frames, 'frame'), BROKEN[turn.status]] : [];
  return html`<p class="said-of-graph">${[link, ...facts].filter(Boolean).map((fact, place) => html`${place > 0 && ' · '}${fact}`)}</p>`;
}

/** @type {Record<import('./highlight.js').NodeState, {sign: string, word: string}>} */
const STATE = {
  idle: { sign: '○', word: '' },
  running: { sign: '▸', word: 'runs' },
  done: { sign: '●', word: 'has run' },
  error: { sign: '✕', word: 'failed' },
  stopped: { sign: '◌', word: 'stopped' },
};

/** @param {{nodes: GraphNode[], lit: Lit, chosen: string, onChoose: (node: string) => void}} props */
function Nodes({ nodes, lit: { nodes: states }, chosen, onChoose }) {
  return html`
    <h3 class="sr-only">Nodes</h3>
    <ul class="nodes">
      ${nodes.map(({ name }) => {
        const state = states[name] ?? 'idle';
        return html`
          <li key=${name}>
            <button type="button" data-node=${name} data-state=${state} aria-pressed=${name === chosen} onClick=${() => onChoose(name === chosen ? '' : name)}>
              <span aria-hidden="true">${STATE[state].sign}</span> ${name}<span class="sr-only"> ${STATE[state].word}</span>
            </button>
          </li>
        `;
      })}
    </ul>
  `;
}

/** @param {{paths: GraphPath[], taken: GraphPath | undefined}} props */
function Paths({ paths, taken }) {
  return html`
    <h3>Paths</h3>
    <table class="paths">
      <thead><tr><th scope="col">path</th><th scope="col">through</th><th scope="col" class="numeric">frames</th></tr></thead>
      <tbody>
        ${paths.map(
          (path) => html`
            <tr aria-current=${path === taken ? 'true' : undefined}>
              <th scope="row">${path.name}${path === taken && html`<span class="sr-only"> (taken last)</span>`}</th>
              <td>${path.nodes.join(' → ')}</td>
              <td class="numeric">${path.frames}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

/** @param {{active: Graph}} props */
function Picker({ active }) {
  const [isOpen, setOpen] = useState(false);
  const [wanted, setWanted] = useState('');
  const [keep, setKeep] = useState(true);
  const [said, setSaid] = useState('');
  const name = wanted || active.name;
  // What was said of a switch is no news any more once something was said on the new graph.
  const last = turns.value.at(-1)?.key;
  useEffect(() => {
    if (last) setSaid('');
  }, [last]);

  async function change(/** @type {Event} */ event) {
    event.preventDefault();
    setSaid('');
    try {
      setSaid(await switchTo(name, keep));
      setOpen(false);
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
    setWanted('');
  }

  return html`
    <div class="graph-head">
      <div>
        <h2 class="graph-name">${active.name}</h2>
        <p class="facts">${active.description}</p>
      </div>
      <button type="button" class="plain" aria-expanded=${isOpen} aria-controls="graph-choice" onClick=${() => setOpen(!isOpen)}>Change</button>
    </div>
    <form id="graph-choice" class="graph-choice" hidden=${!isOpen} onSubmit=${change}>
      <fieldset>
        <legend>The session's graph</legend>
        ${graphs.value.map((entry) => html`<${Choice} key=${entry.name} entry=${entry} isActive=${entry.name === active.name} isChosen=${entry.name === name} onChoose=${setWanted} />`)}
      </fieldset>
      <label class="keep"><input type="checkbox" checked=${keep} onChange=${(/** @type {any} */ event) => setKeep(event.target.checked)} /> Keep the conversation</label>
      ${!keep && html`<p class="hint">The conversation is forgotten, with its controls and what was remembered.</p>`}
      ${busy.value && html`<p class="warning">A turn is running. Switching stops it.</p>`}
      <p class="choices"><button type="submit" class="strong" disabled=${name === active.name}>Switch to ${name === active.name ? 'another graph' : name}</button></p>
    </form>
    <p class="note" role="status">${said.split('`').map((part, at) => (at % 2 === 1 ? html`<b>${part}</b>` : part))}</p>
  `;
}

/** @param {{entry: GraphEntry, isActive: boolean, isChosen: boolean, onChoose: (name: string) => void}} props */
function Choice({ entry: { name, description, paths }, isActive, isChosen, onChoose }) {
  /** One name may stand for several paths of the same length. */
  const lengths = new Map(paths.map((path) => [path.name, path.frames]));
  return html`
    <label class="choice" data-chosen=${isChosen}>
      <input type="radio" name="graph" value=${name} checked=${isChosen} onChange=${() => onChoose(name)} />
      <span>
        <b>${name}</b>${isActive && html` <small>active</small>`}
        <span class="facts">${description}</span>
        <span class="lengths">${[...lengths].map(([path, frames]) => html`<span>${path} <b>${counted(frames, 'frame')}</b></span>`)}</span>
      </span>
    </label>
  `;
}
