// What one call asked and what came: the messages of a model, or the statement of a database; and what can be done with it.

import { html } from './vendor/ui.mjs';
import { written } from './api.js';
import { CopyButton } from './buttons.js';
import { list, plain } from './coerce.js';
import { Fork } from './fork.js';
import { t } from './i18n.js';
import { lazy } from './lazy.js';
import { setOut } from './sqlformat.js';
import { SaveTest } from './turntest.js';
import { duration } from './words.js';

/** @typedef {import('./contract.js').CallInFull} CallInFull */

const Rerun = lazy(async () => (await import('./rerun.js')).Rerun, 'rerun.css');

/** @param {{turn: import('./trace.js').Shown, call: import('./contract.js').LiveCall, cost: string}} props */
export function CallDetail({ turn, call: { pid, kind, waited_ms: waited, usage }, cost }) {
  if (!turn.full) return html`<p class="call-detail" aria-busy="true">${t('call.reading')}</p>`;
  const call = turn.full.calls.get(pid);
  if (!call) return html`<p class="call-detail">${t('call.not_kept')}</p>`;
  const { messages, ...rest } = call.request;
  const { reply } = call;
  const facts = [
    reply?.model || (kind === 'llm' && plain(rest.model)),
    reply?.finish && reply.finish !== 'stop' && t('call.finish', { how: reply.finish }),
    waited ? t('call.waited', { time: duration(waited) }) : '',
    usage?.cached_tokens ? t('call.cached', { count: usage.cached_tokens }) : '',
    cost && t('trace.cost', { cost }),
  ];
  return html`
    <div class="call-detail">
      <p class="facts">${facts.filter(Boolean).join(' · ')}</p>
      ${list(messages).map((message, at) => html`<${Text} name=${message.role} text=${content(message)} isOpen=${at === list(messages).length - 1} />`)}
      ${rest.ask ? html`<${Text} name=${plain(rest.database)} text=${statement(rest.ask)} isOpen=${true} />` : html`<${Text} name=${t('call.settings')} text=${pretty(rest)} isOpen=${false} />`}
      ${reply?.thoughts && html`<${Text} name=${t('call.thoughts')} text=${reply.thoughts} isOpen=${false} />`}
      <${Text} name=${t('call.answer')} text=${answer(call)} isOpen=${true} isBad=${Boolean(reply?.database?.Refused)} />
      <div class="deeds">
        ${kind === 'llm' && html`<${Rerun} turn=${turn} call=${call} />`}
        ${!turn.owner.user && html`<${Fork} turn=${turn.id} message=${turn.message} />`}
        ${turn.status === 'done' && html`<${SaveTest} id=${turn.id} owner=${turn.owner} />`}
      </div>
    </div>
  `;
}

/** @param {{name: string, text: string, isOpen: boolean, isBad?: boolean}} props */
function Text({ name, text, isOpen, isBad = false }) {
  if (!text) return html`<p class="nothing">${t('call.nothing', { name })}</p>`;
  return html`
    <details open=${isOpen}>
      <summary>${name} <small>${t('call.characters', { count: text.length })}</small></summary>
      <div class="text"><${CopyButton} text=${() => text} label=${t('call.copy', { name })} /><pre tabindex="0" aria-label=${name} class=${isBad ? 'bad' : ''}>${text}</pre></div>
    </details>
  `;
}

/** @param {any} message */
export function content(message) {
  const calls = list(message.tool_calls).map(pretty);
  return [plain(message.content), ...calls].filter(Boolean).join('\n\n');
}

/** @param {any} ask */
export function statement(ask) {
  return ask.Query?.sql ? setOut(plain(ask.Query.sql)) : pretty(ask);
}

/** Rows line by line, and what is structured set out, so that it can be read. @param {any} call */
export function answer({ answer: said, reply }) {
  const { Rows: rows, Refused: refused } = reply?.database ?? {};
  if (refused) return plain(refused.message);
  if (rows) return [list(rows.columns).join(' | '), ...list(rows.rows).map((row) => list(row).map((cell) => (cell === null ? 'NULL' : plain(cell))).join(' | ')), ...list(rows.notes)].join('\n');
  try {
    return pretty(JSON.parse(said, asWritten));
  } catch {
    return said;
  }
}

/** Numbers stay as they were written; where the browser doesn't show how, so does the whole. @type {any} */
const asWritten = (/** @type {string} */ _name, /** @type {unknown} */ value, /** @type {{source: string} | undefined} */ how) => {
  if (typeof value !== 'number') return value;
  if (!how) throw new Error('its digits are not known');
  return /** @type {any} */ (JSON).rawJSON(how.source);
};

/** @param {unknown} value */
function pretty(value) {
  return written(value, 2);
}
