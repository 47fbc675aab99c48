// The panel Trace: a turn's frames and calls against the time, live while it runs; as a waterfall, a table or JSON.

import { html, useEffect, useState } from './vendor/ui.mjs';
import { CopyButton, copyText } from './buttons.js';
import { behind, errors, finished, running, serverNow } from './live.js';
import { openTurn, turnAddress } from './route.js';
import { read, session, written } from './api.js';
import { ready, turns } from './session.js';
import { useTicker } from './ticker.js';
import { SaveTest } from './turntest.js';
import { TraceTable } from './tracetable.js';
import { BROKEN } from './turn.js';
import { Waterfall } from './waterfall.js';
import { counted, duration, number } from './words.js';
import { lazy } from './lazy.js';

/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').LiveTurn} LiveTurn */
/** @typedef {import('./contract.js').LiveCall} LiveCall */

/** A turn to be drawn, finished or not.
 * @typedef {object} Shown
 * @property {string} id
 * @property {string} message
 * @property {string} status
 * @property {string} error
 * @property {string} path
 * @property {string} graph
 * @property {number} total_ms    so far
 * @property {number} until_ms    the end of the last call, behind the answer too
 * @property {import('./contract.js').Usage} usage
 * @property {import('./contract.js').LiveFrame[]} frames
 * @property {LiveCall[]} background
 * @property {Trace | undefined} trace  once it has ended */

const LINES_MAX = 500;
const VIEWS = ['Waterfall', 'Table', 'JSON', 'Compare'];
const Compare = lazy(async () => (await import('./compare.js')).Compare, 'compare.css');

export function TracePanel() {
  const [view, setView] = useState(VIEWS[0]);
  const latest = running.value?.id ?? finished.value[0]?.id ?? '';
  const id = openTurn.value || latest;
  const failures = useFailures();
  const turn = shown(id, failures);
  useTicker(Boolean(turn && isLive(turn)));

  return html`
    ${latest && html`<${Chooser} id=${id} />`}
    ${turn ? html`<${Turn} turn=${turn} view=${view} setView=${setView} />` : html`<${Nothing} id=${id} />`}
  `;
}

/** Why turns failed before this page was there. @returns {Record<string, string>} by turn */
function useFailures() {
  const [failures, setFailures] = useState({});
  const isMissing = finished.value.some(({ id, status }) => status === 'error' && !(id in errors.value));
  useEffect(() => {
    if (!isMissing) return;
    read('/api/trace', { last: LINES_MAX }).then(
      ({ lines }) => setFailures(Object.fromEntries(lines.filter((/** @type {any} */ { event }) => event === 'error').map((/** @type {any} */ { turn, detail }) => [turn, detail]))),
      () => {}, // Then the trace says only that the turn failed.
    );
  }, [isMissing]);
  return failures;
}

/** @param {string} id @param {Record<string, string>} failures @returns {Shown | undefined} */
function shown(id, failures) {
  const trace = finished.value.find((one) => one.id === id);
  const live = running.value?.id === id ? running.value : undefined;
  if (!trace && !live) return undefined;
  const said = turns.value.find((one) => one.id === id);
  /** @type {import('./contract.js').LiveFrame[]} */
  const frames = trace?.frames ?? live?.frames ?? [];
  const total = trace?.total_ms ?? Math.max(0, serverNow() - (live?.started_at ?? 0));
  const startedAt = trace?.started_at ?? live?.started_at ?? 0;
  const out = behind.value.filter((call) => call.turn === id);
  /** @type {LiveCall[]} */
  const background = [...(trace?.background ?? []), ...out.map((call) => ({ ...call, started_ms: call.at - startedAt }))];
  const ends = background.map((call) => (call.duration_ms === undefined ? serverNow() - startedAt : call.started_ms + call.duration_ms));
  return {
    id,
    frames,
    background,
    trace,
    message: trace?.message ?? said?.question ?? '',
    status: trace?.status ?? 'running',
    error: errors.value[id] ?? failures[id] ?? said?.error ?? '',
    path: trace?.path ?? '',
    graph: trace?.graph ?? '',
    total_ms: total,
    until_ms: Math.max(total, ...ends),
    usage: trace?.usage ?? sum(frames.flatMap((frame) => frame.calls)),
  };
}

/** @param {LiveCall[]} calls @returns {import('./contract.js').Usage} */
function sum(calls) {
  /** @param {'prompt_tokens' | 'completion_tokens' | 'total_tokens'} part */
  const all = (part) => calls.reduce((total, call) => total + (call.usage?.[part] ?? 0), 0);
  return { prompt_tokens: all('prompt_tokens'), completion_tokens: all('completion_tokens'), total_tokens: all('total_tokens') };
}

/** @param {Shown} turn */
function isLive(turn) {
  return turn.status === 'running' || turn.background.some((call) => call.duration_ms === undefined);
}

/** @param {{id: string}} props */
function Nothing({ id }) {
  if (id && !ready.value) return null;
  if (id) return html`<p class="hint">There is no trace of ${id}. The traces of the last 20 turns are kept, from their end.</p>`;
  return html`<p class="hint empty">Nothing ran yet. Write something, and its frames appear here while it is answered.</p>`;
}

/** The latest turn, whichever it is, or one of those that are kept. @param {{id: string}} props */
function Chooser({ id }) {
  const known = finished.value.map(({ id: turn, message }) => ({ turn, message }));
  const live = running.value?.id;
  if (live) known.unshift({ turn: live, message: turns.value.find(({ id: turn }) => turn === live)?.question ?? '' });
  if (id && !known.some(({ turn }) => turn === id)) known.push({ turn: id, message: '' });
  /** @param {Event} event */
  function choose({ target }) {
    const { value } = /** @type {HTMLSelectElement} */ (target);
    location.hash = value ? turnAddress(value) : '#/trace';
  }
  return html`
    <select class="chooser" aria-label="Turn" value=${openTurn.value} onChange=${choose}>
      <option value="">Latest turn</option>
      ${known.map(({ turn, message }) => html`<option key=${turn} value=${turn}>${[turn, message.slice(0, 60)].filter(Boolean).join(' · ')}</option>`)}
    </select>
  `;
}

/** @param {{turn: Shown, view: string, setView: (view: string) => void}} props */
function Turn({ turn, view, setView }) {
  return html`
    <article class="trace" aria-label=${`Trace of ${turn.id}`} aria-busy=${turn.status === 'running'}>
      <${Facts} turn=${turn} />
      <p class="trace-message" dir="auto">${turn.message}</p>
      ${turn.error && html`<p class="failure">${turn.error}</p>`}
      <div class="tools">
        <div class="views" role="group" aria-label="Show as">
          ${VIEWS.map((name) => html`<button type="button" aria-pressed=${name === view} onClick=${() => setView(name)}>${name}</button>`)}
        </div>
        <span class="spring"></span>
        <${CopyLink} id=${turn.id} />
        ${turn.status === 'done' && html`<${SaveTest} id=${turn.id} />`}
        ${turn.trace && html`<button type="button" class="quiet" onClick=${() => download(turn.id)} title="With all requests and answers">Download</button>`}
      </div>
      ${view === 'Waterfall' && html`<${Waterfall} turn=${turn} />`}
      ${view === 'Table' && html`<${TraceTable} turn=${turn} />`}
      ${view === 'JSON' && html`<${Json} turn=${turn} />`}
      ${view === 'Compare' && html`<${Compare} key=${turn.id} id=${turn.id} />`}
    </article>
  `;
}

/** @param {{turn: Shown}} props */
function Facts({ turn }) {
  const { prompt_tokens: asked = 0, completion_tokens: said = 0, total_tokens: tokens = 0 } = turn.usage;
  const facts = [turn.path || (turn.status === 'running' && 'running'), counted(turn.frames.length, 'frame'), duration(turn.total_ms)];
  if (tokens > 0) facts.push(`${counted(tokens, 'token')} (${number(asked)} → ${number(said)})`);
  return html`
    <p class="facts summary-line">
      ${facts.filter(Boolean).join(' · ')}
      ${BROKEN[turn.status] && html` · <b class="bad">${BROKEN[turn.status]}</b>`}
      <small>${[turn.id, turn.graph].filter(Boolean).join(' · ')}</small>
    </p>
  `;
}

/** @param {{turn: Shown}} props */
function Json({ turn }) {
  const [trace, setTrace] = useState(turn.trace);
  const calls = turn.background.length;
  // The server counts what ran behind the answer to the microsecond.
  useEffect(() => {
    if (turn.trace) read('/api/turn', { id: turn.id }).then((whole) => setTrace(whole.trace), () => setTrace(turn.trace));
  }, [turn.id, Boolean(turn.trace), calls]);
  if (!trace) return html`<p class="hint">A trace is written when its turn has ended.</p>`;
  const text = written(trace, 2);
  return html`
    <div class="json">
      <${CopyButton} text=${() => text} label="Copy as JSON" />
      <pre tabindex="0" aria-label="The trace as JSON"><code>${text}</code></pre>
    </div>
  `;
}

/** @param {{id: string}} props */
function CopyLink({ id }) {
  const [copied, setCopied] = useState('');
  async function copy() {
    await copyText(new URL(turnAddress(id), location.href).href);
    setCopied(id);
  }
  return html`<button type="button" class="quiet" onClick=${copy}>${copied === id ? 'Link copied' : 'Copy link'}</button>`;
}

/** The turn in full, as a file. @param {string} id */
async function download(id) {
  const turn = await read('/api/turn', { id });
  const url = URL.createObjectURL(new Blob([written(turn, 2)], { type: 'application/json' }));
  const anchor = Object.assign(document.createElement('a'), { href: url, download: `${session || 'default'}-${id}.json` });
  anchor.click();
  URL.revokeObjectURL(url);
}
