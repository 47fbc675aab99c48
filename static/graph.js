// The panel Graph: the session's graph with what runs lit up, each node closely, its paths, and the choice of another graph.

import { html, useEffect, useState } from './vendor/ui.mjs';
import { brokenName } from './callwords.js';
import { Drawing } from './drawing.js';
import { t } from './i18n.js';
import { graph, graphs, readActive, readGraphs, switchTo, trouble } from './graphs.js';
import { behind, finished, renewals, running } from './live.js';
import { lit, pathOf } from './highlight.js';
import { NodeView } from './node.js';
import { openOwner, openTurn, turnAddress } from './route.js';
import { busy, turns } from './session.js';
import { useTurn } from './turnread.js';

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
  const { turn, owner, why } = useShown();
  const active = graph.value;
  if (!active) return html`<p class="hint">${trouble.value || t('graph.reading')}</p>`;

  const latest = finished.value[0];
  const seen = lit(active, turn, behind.value);
  const node = active.nodes.find(({ name }) => name === chosen);
  const trace = lastRun(active, chosen, turn);
  return html`
    <div class="graph">
      <${Picker} active=${active} />
      <${Drawing} graph=${active} lit=${seen} chosen=${chosen} onChoose=${setChosen} />
      <${Said} active=${active} turn=${turn} owner=${owner} lit=${seen} why=${why} />
      <${Nodes} nodes=${active.nodes} lit=${seen} chosen=${chosen} onChoose=${setChosen} />
      ${node && html`<${NodeView} key=${`${active.name} ${node.name}`} node=${node} trace=${trace} owner=${trace === turn ? owner : {}} isRunning=${seen.nodes[node.name] === 'running'} mark=${`${latest?.id} ${latest?.background?.length}`} />`}
      <${Paths} paths=${active.paths} taken=${pathOf(active, turn)} />
    </div>
  `;
}

/** The turn whose way is lit: the one that is looked at, else the one that runs, else the latest. `why`: it can't be read.
 * @returns {{turn: import('./contract.js').LiveTurn | Trace | undefined, owner: import('./turnread.js').Owner, why: string}} */
function useShown() {
  const [id, owner] = [openTurn.value, openOwner.value];
  const live = running.value ?? undefined;
  const isLive = Boolean(live && (!id || (live.id === id && !owner.user)));
  const { turn: full, trouble: why } = useTurn(id, owner, isLive);
  if (isLive) return { turn: live, owner: {}, why: '' };
  if (!id) return { turn: finished.value[0], owner: {}, why: '' };
  const own = owner.user ? undefined : finished.value.find((trace) => trace.id === id);
  const turn = own ?? full?.trace;
  return { turn, owner, why: turn ? '' : why };
}

/** The turn that is shown, where the node ran in it; else the last finished turn of this graph in which it ran, or behind which
 * it has. @param {Graph} graph @param {string} node @param {import('./contract.js').LiveTurn | Trace | undefined} turn */
function lastRun({ name }, node, turn) {
  const isIn = (/** @type {Trace} */ { graph, frames, background = [] }) => graph === name && (frames.some(({ nodes }) => nodes.includes(node)) || background.some(({ label }) => label === node));
  return turn && 'graph' in turn && isIn(turn) ? turn : finished.value.find(isIn);
}

/** @param {{active: Graph, turn: import('./contract.js').LiveTurn | Trace | undefined, owner: import('./turnread.js').Owner, lit: Lit, why: string}} props */
function Said({ active, turn, owner, lit: { nodes }, why }) {
  const at = Object.keys(nodes).filter((name) => nodes[name] === 'running');
  const back = openTurn.value && html`<a href="#/graph">${t('graph.latest')}</a>`;
  if (why) return html`<p class="said-of-graph">${t('trace.unknown', { turn: openTurn.value })} ${why} ${back}</p>`;
  if (at.length > 0 && (!openTurn.value || turn === running.value)) return html`<p class="said-of-graph"><b>${at.join(' + ')}</b> ${t('graph.runs', { count: at.length })}</p>`;
  if (!turn) return html`<p class="said-of-graph">${openTurn.value ? back : t('graph.empty')}</p>`;
  const link = html`<a href=${turnAddress(turn.id, owner)}>${turn.id}</a>`;
  if ('graph' in turn && turn.graph !== active.name) return html`<p class="said-of-graph">${link} · ${t('graph.ran_on', { graph: turn.graph })} ${back && html` · ${back}`}</p>`;
  const facts = 'path' in turn ? [turn.path, t('trace.frames', { count: turn.total_frames }), brokenName(turn.status)] : [];
  return html`<p class="said-of-graph">${[link, ...facts, back].filter(Boolean).map((fact, place) => html`${place > 0 && ' · '}${fact}`)}</p>`;
}

/** @type {Record<import('./highlight.js').NodeState, {sign: string, word: () => string}>} */
const STATE = {
  idle: { sign: '○', word: () => '' },
  running: { sign: '▸', word: () => t('graph.is_running') },
  done: { sign: '●', word: () => t('graph.has_run') },
  error: { sign: '✕', word: () => t('call.failed') },
  stopped: { sign: '◌', word: () => t('call.stopped') },
};

/** @param {{nodes: GraphNode[], lit: Lit, chosen: string, onChoose: (node: string) => void}} props */
function Nodes({ nodes, lit: { nodes: states }, chosen, onChoose }) {
  return html`
    <h3 class="sr-only">${t('graph.nodes')}</h3>
    <ul class="nodes">
      ${nodes.map(({ name }) => {
        const state = states[name] ?? 'idle';
        return html`
          <li key=${name}>
            <button type="button" data-node=${name} data-state=${state} aria-pressed=${name === chosen} onClick=${() => onChoose(name === chosen ? '' : name)}>
              <span aria-hidden="true">${STATE[state].sign}</span> ${name}<span class="sr-only"> ${STATE[state].word()}</span>
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
    <h3>${t('graph.paths')}</h3>
    <table class="paths">
      <thead><tr><th scope="col">${t('graph.path')}</th><th scope="col">${t('graph.through')}</th><th scope="col" class="numeric">${t('graph.frames')}</th></tr></thead>
      <tbody>
        ${paths.map(
          (path) => html`
            <tr aria-current=${path === taken ? 'true' : undefined}>
              <th scope="row">${path.name}${path === taken && html`<span class="sr-only"> ${t('graph.taken')}</span>`}</th>
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
      <button type="button" class="plain" aria-expanded=${isOpen} aria-controls="graph-choice" onClick=${() => setOpen(!isOpen)}>${t('graph.change')}</button>
    </div>
    <form id="graph-choice" class="graph-choice" hidden=${!isOpen} onSubmit=${change}>
      <fieldset>
        <legend>${t('graph.choice')}</legend>
        ${graphs.value.map((entry) => html`<${Choice} key=${entry.name} entry=${entry} isActive=${entry.name === active.name} isChosen=${entry.name === name} onChoose=${setWanted} />`)}
      </fieldset>
      <label class="keep"><input type="checkbox" checked=${keep} onChange=${(/** @type {any} */ event) => setKeep(event.target.checked)} /> ${t('graph.keep')}</label>
      ${!keep && html`<p class="hint">${t('graph.forgets')}</p>`}
      ${busy.value && html`<p class="warning">${t('graph.stops')}</p>`}
      <p class="choices"><button type="submit" class="strong" disabled=${name === active.name}>${name === active.name ? t('graph.switch') : t('graph.switch_to', { graph: name })}</button></p>
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
        <b>${name}</b>${isActive && html` <small>${t('graph.active')}</small>`}
        <span class="facts">${description}</span>
        <span class="lengths">${[...lengths].map(([path, frames]) => html`<span>${path} <b>${t('trace.frames', { count: frames })}</b></span>`)}</span>
      </span>
    </label>
  `;
}
