// Two turns side by side: what they were asked, their paths, tools, statements, words, tokens and cost. What differs is marked.

import { html, useEffect, useState } from './vendor/ui.mjs';
import { read } from './api.js';
import { statement } from './calldetail.js';
import { cost, tokens } from './callwords.js';
import { list, plain } from './coerce.js';
import { between } from './difference.js';
import { t } from './i18n.js';
import { finished } from './live.js';
import { turns } from './session.js';
import { unturned, visible } from './words.js';

/** @typedef {import('./difference.js').Piece} Piece */
/** @typedef {{message: string, path: string, tools: string[], sql: string[], text: string, tokens: string, cost: string}} Seen */

const LINES_MAX = 500;

/** @param {{id: string, owner: import('./turnread.js').Owner}} props */
export function Compare({ id, owner }) {
  if (owner.user) return html`<p class="hint">${t('compare.own_only')}</p>`;
  return html`<${Both} id=${id} />`;
}

/** @param {{id: string}} props */
function Both({ id }) {
  const others = finished.value.filter((one) => one.id !== id);
  const message = finished.value.find((one) => one.id === id)?.message;
  // Most likely the same question was asked again.
  const [other, setOther] = useState((others.find((one) => one.message === message) ?? others[0])?.id ?? '');
  const [both, setBoth] = useState(/** @type {{ids: string, before: Seen, after: Seen} | undefined} */ (undefined));
  const [error, setError] = useState('');
  // The older one stands at the left.
  const ids = [other, id].sort((one, two) => Number(one.slice(4)) - Number(two.slice(4)));
  const key = ids.join(' ');
  useEffect(() => {
    if (!other) return;
    let isLeft = false;
    setError('');
    Promise.all([...ids.map((one) => read('/api/turn', { id: one })), read('/api/trace', { last: LINES_MAX })]).then(
      ([before, after, { lines }]) => isLeft || setBoth({ ids: key, before: seen(before, lines), after: seen(after, lines) }),
      (reason) => isLeft || setError(reason.message),
    );
    return () => (isLeft = true);
  }, [key]);

  if (others.length === 0) return html`<p class="hint">${t('compare.none')}</p>`;
  return html`
    <div class="compare">
      <select class="chooser" aria-label=${t('compare.with')} value=${other} onChange=${(/** @type {any} */ { target }) => setOther(target.value)}>
        ${others.map((one) => html`<option key=${one.id} value=${one.id}>${one.id} · ${one.message.slice(0, 60)}</option>`)}
      </select>
      ${error && html`<p class="bad" role="status">${error}</p>`}
      ${both && both.ids === key && html`<${Columns} ids=${ids} before=${both.before} after=${both.after} />`}
    </div>
  `;
}

/** @param {any} turn as `/api/turn` shows it @param {any[]} lines @returns {Seen} */
function seen({ id, trace, calls }, lines) {
  const answered = turns.value.find((one) => one.id === id)?.answer;
  const streamed = list(calls).filter(({ request }) => request.stream).at(-1)?.answer;
  const own = lines.filter(({ turn, event }) => turn === id && event === 'tool_call');
  const { prompt_tokens: asked = 0, completion_tokens: said = 0, cost_micros: micros } = trace.usage ?? {};
  return {
    message: trace.message,
    path: `${trace.path}: ${list(trace.frames).map(({ nodes }) => list(nodes).join('+')).join(' → ')}`,
    tools: own.map(({ tool, args }) => `${tool} ${plain(args)}`),
    sql: list(calls).filter(({ request }) => request.ask?.Query).map(({ request }) => statement(request.ask)),
    text: answered ?? plain(streamed ?? ''),
    tokens: tokens(asked, said),
    cost: cost(micros),
  };
}

/** What each row is called, and whether each character counts. @type {[keyof Seen, () => string, boolean][]} */
const ROWS = [
  ['message', () => t('compare.message'), false],
  ['path', () => t('turns.path'), false],
  ['tools', () => t('compare.tools'), true],
  ['sql', () => 'SQL', true],
  ['text', () => t('compare.answer'), false],
  ['tokens', () => t('trace.tokens_column'), false],
  ['cost', () => t('trace.cost_column'), false],
];

/** @param {{ids: string[], before: Seen, after: Seen}} props */
function Columns({ ids, before, after }) {
  return html`
    <table class="columns">
      <thead><tr><td></td>${ids.map((id) => html`<th scope="col">${id}</th>`)}</tr></thead>
      <tbody>
        ${ROWS.map(([field, label, isCode]) => {
          const [one, other] = [before[field], after[field]].map((value) => (Array.isArray(value) ? value.join('\n') : value));
          if (!one && !other) return null;
          const pieces = between(one, other);
          return html`
            <tr data-field=${field} data-differs=${one !== other}>
              <th scope="row">${label()}${one !== other && html`<span class="sr-only"> ${t('compare.differs')}</span>`}</th>
              <td dir="auto"><${Text} pieces=${pieces.before} isCode=${isCode} /></td>
              <td dir="auto"><${Text} pieces=${pieces.after} isCode=${isCode} /></td>
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}

/** @param {{pieces: Piece[], isCode: boolean}} props */
function Text({ pieces, isCode }) {
  const shown = isCode ? visible : unturned;
  const parts = pieces.map(({ text, isMarked }) => (isMarked ? html`<mark>${shown(text)}</mark>` : shown(text)));
  return isCode ? html`<code>${parts}</code>` : parts;
}
