// What one call asked and what came: the messages of a model, or the statement of a database.

import { html, useEffect, useState } from './vendor/ui.mjs';
import { read, written } from './api.js';
import { CopyButton } from './buttons.js';
import { list, plain } from './coerce.js';
import { counted } from './words.js';

/** @param {{turn: string, pid: number}} props */
export function CallDetail({ turn, pid }) {
  const [call, setCall] = useState(/** @type {any} */ (undefined));
  const [error, setError] = useState('');
  useEffect(() => {
    let isLeft = false;
    read('/api/turn', { id: turn }).then(
      ({ calls }) => isLeft || setCall(list(calls).find((one) => one.pid === pid) ?? null),
      (reason) => isLeft || setError(reason.message),
    );
    return () => (isLeft = true);
  }, [turn, pid]);

  if (error) return html`<p class="call-detail bad">${error}</p>`;
  if (call === undefined) return null;
  if (call === null) return html`<p class="call-detail">What this call asked is no longer kept.</p>`;
  const { messages, ...rest } = call.request;
  return html`
    <div class="call-detail">
      ${list(messages).map((message, at) => html`<${Text} name=${message.role} text=${content(message)} isOpen=${at === messages.length - 1} />`)}
      ${rest.ask ? html`<${Text} name=${rest.database} text=${statement(rest.ask)} isOpen=${true} />` : html`<${Text} name="settings" text=${pretty(rest)} isOpen=${false} />`}
      <${Text} name="answer" text=${answer(call)} isOpen=${true} />
    </div>
  `;
}

/** @param {{name: string, text: string, isOpen: boolean}} props */
function Text({ name, text, isOpen }) {
  if (!text) return html`<p class="nothing">${name}: nothing</p>`;
  return html`
    <details open=${isOpen}>
      <summary>${name} <small>${counted(text.length, 'character')}</small></summary>
      <div class="text"><${CopyButton} text=${() => text} label=${`Copy: ${name}`} /><pre tabindex="0" aria-label=${name}>${text}</pre></div>
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
  return plain(ask.Query?.sql ?? pretty(ask));
}

/** Rows line by line, and what is structured set out, so that it can be read. @param {any} call */
export function answer({ answer: said, reply }) {
  const rows = reply?.database?.Rows;
  if (rows) return [list(rows.columns).join(' | '), ...list(rows.rows).map((row) => list(row).map((cell) => (cell === null ? 'NULL' : plain(cell))).join(' | '))].join('\n');
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
