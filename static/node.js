// One node of the graph, looked at closely: what it is, what went in and came out when it ran last, and what it would be asked
// now, with its schema and its tools.

import { html, useEffect, useRef, useState } from './vendor/ui.mjs';
import { read, written } from './api.js';
import { CopyButton } from './buttons.js';
import { answer, content, statement } from './calldetail.js';
import { t } from './i18n.js';
import { turnAddress } from './route.js';
import { duration } from './words.js';

/** @typedef {import('./contract.js').GraphNode} GraphNode */
/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').Prompt} Prompt */
/** @typedef {import('./contract.js').CallInFull} CallInFull */

/** What is longer is folded at first. */
const SHORT_MAX = 600;

/** @param {{node: GraphNode, trace: Trace | undefined, owner: import('./turnread.js').Owner, isRunning: boolean, mark: string}} props
 * `trace`: the turn that is looked at or the last one in which it ran, and whose that is; `mark` changes when what it would be
 * asked may have */
export function NodeView({ node, trace, owner, isRunning, mark }) {
  const facts = [node.kind !== node.name && node.kind, node.model ? t('node.model', { model: node.model }) : t('node.no_model'), node.tools.length > 0 && t('node.tool_count', { count: node.tools.length })];
  /** @type {{current: HTMLElement | null}} */
  const section = useRef(null);
  useEffect(() => section.current?.scrollIntoView({ block: 'nearest' }), []);
  return html`
    <section class="node" ref=${section} aria-labelledby="node-name">
      <h3 id="node-name" tabindex="-1">${node.name}</h3>
      <p class="facts">${facts.filter(Boolean).join(' · ')}</p>
      <${LastRun} node=${node.name} trace=${trace} owner=${owner} isRunning=${isRunning} />
      ${node.model && html`<${Asked} node=${node.name} mark=${`${mark} ${isRunning}`} />`}
    </section>
  `;
}

/** @param {{node: string, trace: Trace | undefined, owner: import('./turnread.js').Owner, isRunning: boolean}} props */
function LastRun({ node, trace, owner, isRunning }) {
  const [calls, trouble] = useAsked(trace && (() => callsOf(node, trace.id, owner)), `${node} ${trace?.id} ${owner.session} ${trace?.background?.length}`);
  if (!trace) return html`<p class="hint">${isRunning ? t('node.first_run') : t('node.never')}</p>`;
  const frame = trace.frames.find(({ nodes }) => nodes.includes(node));
  const of = frame ? t('node.frame', { frame: frame.frame, all: trace.total_frames, time: duration(frame.duration_ms) }) : t('node.behind');
  return html`
    <h4>${t('node.last_run')}</h4>
    <p class="facts"><a href=${turnAddress(trace.id, owner)}>${trace.id}</a> · ${of}${frame?.route && html` · ${t('node.route')} <b>${frame.route}</b>`}</p>
    ${frame?.summary && html`<p class="summary">${frame.summary}</p>`}
    ${trouble && html`<p class="hint">${trouble}</p>`}
    ${calls?.length === 0 && html`<p class="hint">${t('node.no_call')}</p>`}
    ${calls?.map((/** @type {CallInFull} */ call, /** @type {number} */ at) => html`<${Call} key=${`${trace.id} ${call.pid}`} call=${call} number=${calls.length > 1 ? at + 1 : 0} />`)}
  `;
}

/** @param {string} node @param {string} turn @param {import('./turnread.js').Owner} owner @returns {Promise<CallInFull[]>} */
async function callsOf(node, turn, owner) {
  const { calls } = await read('/api/turn', { id: turn, ...owner });
  return calls.filter((/** @type {CallInFull} */ call) => call.node === node);
}

/** @param {{call: CallInFull, number: number}} props */
function Call({ call, number }) {
  const { messages, ask, ...rest } = call.request;
  const said = answer(call);
  return html`
    <details data-part="in">
      <summary>${number > 0 ? t('node.input_of', { number }) : t('node.input')}<small>${messages ? t('node.messages', { count: messages.length }) : String(rest.database ?? '')}</small></summary>
      ${messages ? html`<${Messages} messages=${messages} />` : html`<${Text} text=${ask ? statement(ask) : written(rest, 2)} label=${t('call.copy', { name: t('node.input') })} />`}
    </details>
    <details data-part="out" open>
      <summary>${number > 0 ? t('node.output_of', { number }) : t('node.output')}</summary>
      ${said ? html`<${Text} text=${said} label=${t('call.copy', { name: t('node.output') })} />` : html`<p class="hint">${t('node.nothing_came')}</p>`}
    </details>
  `;
}

/** What it would be asked in this session now. @param {{node: string, mark: string}} props  `mark`: changes when the prompt may have */
function Asked({ node, mark }) {
  const [prompt, trouble] = useAsked(() => read('/api/graph/prompt', { node }), `${node} ${mark}`);
  if (!prompt) return trouble ? html`<p class="hint">${trouble}</p>` : null;
  const { messages, schema, tools } = /** @type {Prompt} */ (prompt);
  return html`
    <h4>${t('node.now')}</h4>
    <details data-part="prompt">
      <summary>${t('node.prompt')}<small>${t('node.messages', { count: messages.length })}</small></summary>
      <${Messages} messages=${messages} />
    </details>
    ${schema && html`
      <details data-part="schema">
        <summary>${t('node.schema')}<small>${Object.keys(/** @type {any} */ (schema).properties ?? {}).join(', ')}</small></summary>
        <${Text} text=${written(schema, 2)} label=${t('call.copy', { name: t('node.schema') })} />
      </details>
    `}
    ${tools.length > 0 && html`
      <details data-part="tools">
        <summary>${t('node.tools')}<small>${tools.map(({ name }) => name).join(', ')}</small></summary>
        <dl class="tool-list">${tools.map(({ name, description }) => html`<div><dt><code>${name}</code></dt><dd>${description}</dd></div>`)}</dl>
      </details>
    `}
  `;
}

/** @param {{messages: {role: string, content: string}[]}} props */
function Messages({ messages }) {
  return messages.map((message) => {
    const text = content(message);
    return html`
      <details class="message" open=${text.length <= SHORT_MAX}>
        <summary><b>${message.role}</b><small>${t('call.characters', { count: text.length })}</small></summary>
        <${Text} text=${text} label=${t('call.copy', { name: message.role })} />
      </details>
    `;
  });
}

/** @param {{text: string, label: string}} props */
function Text({ text, label }) {
  return html`<div class="verbatim"><pre tabindex="0">${text}</pre><${CopyButton} text=${() => text} label=${label} /></div>`;
}

/** Asks again when the mark changes; shows what it had until the answer comes, and nothing of another node's.
 * @param {(() => Promise<any>) | undefined} ask @param {string} mark @returns {[any, string]} the answer, or why there is none */
function useAsked(ask, mark) {
  const [known, setKnown] = useState({ mark: '', answer: undefined, trouble: '' });
  useEffect(() => {
    if (!ask) return;
    let isGone = false;
    ask().then(
      (answer) => isGone || setKnown({ mark, answer, trouble: '' }),
      (error) => isGone || setKnown({ mark, answer: undefined, trouble: error.message }),
    );
    return () => {
      isGone = true;
    };
  }, [mark]);
  const isSameNode = mark.split(' ')[0] === known.mark.split(' ')[0];
  return isSameNode ? [known.answer, known.trouble] : [undefined, ''];
}
