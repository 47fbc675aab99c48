// The panel Trace: a turn's frames and calls against the time, live while it runs; as a waterfall, a table or JSON.

import { html, useState } from './vendor/ui.mjs';
import { CopyButton, copyText } from './buttons.js';
import { brokenName, cost, tokens } from './callwords.js';
import { t } from './i18n.js';
import { behind, errors, finished, running, serverNow } from './live.js';
import { openOwner, openTurn, turnAddress } from './route.js';
import { read, session, written } from './api.js';
import { ready, turns } from './session.js';
import { useTicker } from './ticker.js';
import { Fork } from './fork.js';
import { SaveTest } from './turntest.js';
import { TraceTable } from './tracetable.js';
import { useTurn } from './turnread.js';
import { Waterfall } from './waterfall.js';
import { duration } from './words.js';
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
 * @property {Trace | undefined} trace  once it has ended
 * @property {import('./turnread.js').TurnInFull | undefined} full  its calls in full, once it has ended and they were read
 * @property {import('./turnread.js').Owner} owner  whose it is */

/** What a turn can be shown as. @type {Record<string, () => string>} */
const VIEWS = {
  waterfall: () => t('trace.waterfall'),
  table: () => t('trace.table'),
  json: () => 'JSON',
  compare: () => t('trace.compare'),
};
const Compare = lazy(async () => (await import('./compare.js')).Compare, 'compare.css');

export function TracePanel() {
  const [view, setView] = useState('waterfall');
  const latest = running.value?.id ?? finished.value[0]?.id ?? '';
  const id = openTurn.value || latest;
  const owner = openOwner.value;
  const { turn: full, trouble } = useTurn(ready.value ? id : '', owner, !owner.user && running.value?.id === id);
  const turn = shown(id, owner, full);
  useTicker(Boolean(turn && isLive(turn)));

  return html`
    ${latest && html`<${Chooser} id=${id} owner=${owner} />`}
    ${turn ? html`<${Turn} turn=${turn} view=${view} setView=${setView} />` : html`<${Nothing} id=${id} trouble=${trouble} />`}
  `;
}

/** @param {string} id @param {import('./turnread.js').Owner} owner @param {import('./turnread.js').TurnInFull} [full] @returns {Shown | undefined} */
function shown(id, owner, full) {
  const isOwn = !owner.user;
  const trace = (isOwn && finished.value.find((one) => one.id === id)) || full?.trace;
  const live = isOwn && running.value?.id === id ? running.value : undefined;
  if (!trace && !live) return undefined;
  const said = isOwn ? turns.value.find((one) => one.id === id) : undefined;
  /** @type {import('./contract.js').LiveFrame[]} */
  const frames = trace?.frames ?? live?.frames ?? [];
  const total = trace?.total_ms ?? Math.max(0, serverNow() - (live?.started_at ?? 0));
  const startedAt = trace?.started_at ?? live?.started_at ?? 0;
  const out = isOwn ? behind.value.filter((call) => call.turn === id) : [];
  /** @type {LiveCall[]} */
  const background = [...(trace?.background ?? []), ...out.map((call) => ({ ...call, started_ms: call.at - startedAt }))];
  const ends = background.map((call) => (call.duration_ms === undefined ? serverNow() - startedAt : call.started_ms + call.duration_ms));
  return {
    id,
    owner,
    frames,
    background,
    trace,
    full,
    message: trace?.message ?? said?.question ?? '',
    status: trace?.status ?? 'running',
    error: (isOwn && errors.value[id]) || full?.error || said?.error || '',
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

/** @param {{id: string, trouble: string}} props */
function Nothing({ id, trouble }) {
  if (id && trouble) return html`<p class="hint">${t('trace.unknown', { turn: id })} ${trouble}</p>`;
  return id ? null : html`<p class="hint empty">${t('trace.empty')}</p>`;
}

/** The latest turn, whichever it is, or one of those that are kept. @param {{id: string, owner: import('./turnread.js').Owner}} props */
function Chooser({ id, owner }) {
  const known = finished.value.map(({ id: turn, message }) => ({ turn, message }));
  const live = running.value?.id;
  if (live) known.unshift({ turn: live, message: turns.value.find(({ id: turn }) => turn === live)?.question ?? '' });
  const isOther = Boolean(owner.user) || (id && !known.some(({ turn }) => turn === id));
  /** @param {Event} event */
  function choose({ target }) {
    const { value } = /** @type {HTMLSelectElement} */ (target);
    if (value !== OTHER) location.hash = value ? turnAddress(value) : '#/trace';
  }
  return html`
    <select class="chooser" aria-label=${t('trace.turn')} value=${isOther ? OTHER : openTurn.value} onChange=${choose}>
      <option value="">${t('trace.latest')}</option>
      ${isOther && html`<option value=${OTHER}>${[id, owner.session, owner.user].filter(Boolean).join(' · ')}</option>`}
      ${known.map(({ turn, message }) => html`<option key=${turn} value=${turn}>${[turn, message.slice(0, 60)].filter(Boolean).join(' · ')}</option>`)}
    </select>
  `;
}

/** The value of a turn that isn't among the latest of this session. */
const OTHER = '-';

/** @param {{turn: Shown, view: string, setView: (view: string) => void}} props */
function Turn({ turn, view, setView }) {
  return html`
    <article class="trace" aria-label=${t('trace.of', { turn: turn.id })} aria-busy=${turn.status === 'running'}>
      <${Facts} turn=${turn} />
      <p class="trace-message" dir="auto">${turn.message}</p>
      ${turn.error && html`<p class="failure">${turn.error}</p>`}
      ${turn.trace?.degraded && html`<p class="degraded"><b>${t('trace.degraded')}</b> ${turn.trace.degraded}</p>`}
      <div class="tools">
        <div class="views" role="group" aria-label=${t('trace.show_as')}>
          ${Object.entries(VIEWS).map(([name, label]) => html`<button type="button" aria-pressed=${name === view} onClick=${() => setView(name)}>${label()}</button>`)}
        </div>
        <span class="spring"></span>
        <${CopyLink} turn=${turn} />
        ${turn.trace && html`<button type="button" class="quiet" onClick=${() => download(turn)} title=${t('trace.download_about')}>${t('trace.download')}</button>`}
        ${turn.status === 'done' && html`<${SaveTest} id=${turn.id} owner=${turn.owner} />`}
        ${turn.trace && !turn.owner.user && html`<${Fork} turn=${turn.id} message=${turn.message} />`}
      </div>
      ${view === 'waterfall' && html`<${Waterfall} turn=${turn} />`}
      ${view === 'table' && html`<${TraceTable} turn=${turn} />`}
      ${view === 'json' && html`<${Json} turn=${turn} />`}
      ${view === 'compare' && html`<${Compare} key=${turn.id} id=${turn.id} owner=${turn.owner} />`}
    </article>
  `;
}

/** @param {{turn: Shown}} props */
function Facts({ turn }) {
  const { prompt_tokens: asked = 0, completion_tokens: said = 0, total_tokens: all = 0, cost_micros: micros } = turn.usage;
  const facts = [turn.path || (turn.status === 'running' && t('trace.running')), t('trace.frames', { count: turn.frames.length }), duration(turn.total_ms)];
  if (turn.full?.first_token_ms !== undefined) facts.push(t('trace.first_token', { time: duration(turn.full.first_token_ms) }));
  if (all > 0) facts.push(`${t('trace.tokens', { count: all })} (${tokens(asked, said)})`);
  if (micros) facts.push(t('trace.cost', { cost: cost(micros) }));
  const models = new Set([...(turn.full?.calls.values() ?? [])].map(({ reply }) => reply?.model).filter(Boolean));
  const reloaded = turn.trace?.reloaded;
  return html`
    <p class="facts summary-line">
      ${facts.filter(Boolean).join(' · ')}
      ${brokenName(turn.status) && html` · <b class="bad">${brokenName(turn.status)}</b>`}
      <small>${[turn.id, turn.owner.session, turn.graph, ...models, reloaded && t('trace.version', { version: reloaded })].filter(Boolean).join(' · ')}</small>
    </p>
  `;
}

/** @param {{turn: Shown}} props */
function Json({ turn }) {
  // The server counts what ran behind the answer to the microsecond, so its own trace is shown once it is read.
  const trace = turn.full?.trace ?? turn.trace;
  if (!trace) return html`<p class="hint">${t('trace.not_written')}</p>`;
  const text = written(trace, 2);
  return html`
    <div class="json">
      <${CopyButton} text=${() => text} label=${t('trace.copy_json')} />
      <pre tabindex="0" aria-label=${t('trace.as_json')}><code>${text}</code></pre>
    </div>
  `;
}

/** @param {{turn: Shown}} props */
function CopyLink({ turn: { id, owner } }) {
  const [copied, setCopied] = useState('');
  async function copy() {
    await copyText(new URL(turnAddress(id, owner), location.href).href);
    setCopied(id);
  }
  return html`<button type="button" class="quiet" onClick=${copy}>${copied === id ? t('trace.link_copied') : t('trace.copy_link')}</button>`;
}

/** The turn in full, as a file. @param {Shown} turn */
async function download({ id, owner }) {
  const turn = await read('/api/turn', { id, ...owner });
  const url = URL.createObjectURL(new Blob([written(turn, 2)], { type: 'application/json' }));
  const anchor = Object.assign(document.createElement('a'), { href: url, download: `${owner.session || session || 'default'}-${id}.json` });
  anchor.click();
  URL.revokeObjectURL(url);
}
