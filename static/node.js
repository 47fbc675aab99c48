// One node of the graph, looked at closely: what it is, what went in and came out when it ran last, and what it would be asked
// now, with its schema and its tools.

import { html, useEffect, useRef, useState } from './vendor/ui.mjs';
import { read, written } from './api.js';
import { CopyButton } from './buttons.js';
import { answer, content, statement } from './calldetail.js';
import { turnAddress } from './route.js';
import { counted, duration } from './words.js';

/** @typedef {import('./contract.js').GraphNode} GraphNode */
/** @typedef {import('./contract.js').Trace} Trace */
/** @typedef {import('./contract.js').Prompt} Prompt */
/** @typedef {import('./contract.js').CallInFull} CallInFull */

/** What is longer is folded at first. */
const SHORT_MAX = 600;

/** @param {{node: GraphNode, trace: Trace | undefined, isRunning: boolean, mark: string}} props  `trace`: the last turn in which it ran;
 * `mark` changes when what it would be asked may have */
export function NodeView({ node, trace, isRunning, mark }) {
  const facts = [node.kind !== node.name && node.kind, node.model ? `model ${node.model}` : 'asks no model', node.tools.length > 0 && counted(node.tools.length, 'tool')];
  /** @type {{current: HTMLElement | null}} */
  const section = useRef(null);
  useEffect(() => section.current?.scrollIntoView({ block: 'nearest' }), []);
  return html`
    <section class="node" ref=${section} aria-labelledby="node-name">
      <h3 id="node-name" tabindex="-1">${node.name}</h3>
      <p class="facts">${facts.filter(Boolean).join(' · ')}</p>
      <${LastRun} node=${node.name} trace=${trace} isRunning=${isRunning} />
      ${node.model && html`<${Asked} node=${node.name} mark=${`${mark} ${isRunning}`} />`}
    </section>
  `;
}

/** @param {{node: string, trace: Trace | undefined, isRunning: boolean}} props */
function LastRun({ node, trace, isRunning }) {
  const [calls, trouble] = useAsked(trace && (() => callsOf(node, trace.id)), `${node} ${trace?.id} ${trace?.background?.length}`);
  if (!trace) return html`<p class="hint">${isRunning ? 'It runs for the first time; what goes in and comes out is shown at the end of the turn.' : 'It has not run in the turns that are kept.'}</p>`;
  const frame = trace.frames.find(({ nodes }) => nodes.includes(node));
  const of = frame ? `frame ${frame.frame} of ${trace.total_frames}, ${duration(frame.duration_ms)}` : 'behind the answer';
  return html`
    <h4>Last run</h4>
    <p class="facts"><a href=${turnAddress(trace.id)}>${trace.id}</a> · ${of}${frame?.route && html` · route <b>${frame.route}</b>`}</p>
    ${frame?.summary && html`<p class="summary">${frame.summary}</p>`}
    ${trouble && html`<p class="hint">${trouble}</p>`}
    ${calls?.length === 0 && html`<p class="hint">It made no call.</p>`}
    ${calls?.map((/** @type {CallInFull} */ call, /** @type {number} */ at) => html`<${Call} key=${`${trace.id} ${call.pid}`} call=${call} number=${calls.length > 1 ? at + 1 : 0} />`)}
  `;
}

/** @param {string} node @param {string} turn @returns {Promise<CallInFull[]>} */
async function callsOf(node, turn) {
  const { calls } = await read('/api/turn', { id: turn });
  return calls.filter((/** @type {CallInFull} */ call) => call.node === node);
}

/** @param {{call: CallInFull, number: number}} props */
function Call({ call, number }) {
  const { messages, ask, ...rest } = call.request;
  const which = number > 0 ? ` of call ${number}` : '';
  const said = answer(call);
  return html`
    <details data-part="in">
      <summary>Input${which}<small>${messages ? counted(messages.length, 'message') : String(rest.database ?? '')}</small></summary>
      ${messages ? html`<${Messages} messages=${messages} />` : html`<${Text} text=${ask ? statement(ask) : written(rest, 2)} label="Copy the input" />`}
    </details>
    <details data-part="out" open>
      <summary>Output${which}</summary>
      ${said ? html`<${Text} text=${said} label="Copy the output" />` : html`<p class="hint">None came.</p>`}
    </details>
  `;
}

/** What it would be asked in this session now. @param {{node: string, mark: string}} props  `mark`: changes when the prompt may have */
function Asked({ node, mark }) {
  const [prompt, trouble] = useAsked(() => read('/api/graph/prompt', { node }), `${node} ${mark}`);
  if (!prompt) return trouble ? html`<p class="hint">${trouble}</p>` : null;
  const { messages, schema, tools } = /** @type {Prompt} */ (prompt);
  return html`
    <h4>In this session now</h4>
    <details data-part="prompt">
      <summary>Prompt<small>${counted(messages.length, 'message')}</small></summary>
      <${Messages} messages=${messages} />
    </details>
    ${schema && html`
      <details data-part="schema">
        <summary>Schema<small>${Object.keys(/** @type {any} */ (schema).properties ?? {}).join(', ')}</small></summary>
        <${Text} text=${written(schema, 2)} label="Copy the schema" />
      </details>
    `}
    ${tools.length > 0 && html`
      <details data-part="tools">
        <summary>Tools<small>${tools.map(({ name }) => name).join(', ')}</small></summary>
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
        <summary><b>${message.role}</b><small>${counted(text.length, 'character')}</small></summary>
        <${Text} text=${text} label=${`Copy the ${message.role} message`} />
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
