// A recorded model call made again with another prompt: the request's messages to edit, the model, and both answers beside each
// other. The conversation stays as it is.

import { html, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { Refusal, post } from './api.js';
import { content } from './calldetail.js';
import { cost, tokens } from './callwords.js';
import { list, plain } from './coerce.js';
import { between } from './difference.js';
import { t } from './i18n.js';
import { mayRerun, rerunRefused } from './mayrerun.js';
import { asked } from './route.js';
import { duration, visible } from './words.js';

/** The server cuts what it shows of a request; an edit of a text that was cut would send the rest of it no more. */
const SHOWN_BYTES = 16_384;
const MODELS = ['fast', 'strong'];

/** @param {{turn: import('./trace.js').Shown, call: import('./contract.js').CallInFull}} props */
export function Rerun({ turn, call }) {
  const [isOpen, setOpen] = useState(false);
  const [refusal, setRefusal] = useState('');
  /** @type {{current: HTMLElement | null}} */
  const said = useRef(null);
  // The button that had the focus has gone.
  useLayoutEffect(() => said.current?.focus(), [refusal]);
  if (refusal) return html`<p class="bad" ref=${said} tabindex="-1" role="alert">${refusal}</p>`;
  if (!mayRerun()) return null;
  return html`
    <button type="button" class="quiet" aria-expanded=${isOpen} title=${t('rerun.about')} onClick=${() => setOpen(!isOpen)}>${t('rerun.name')}</button>
    ${isOpen && html`<${Form} turn=${turn} call=${call} onRefused=${setRefusal} />`}
  `;
}

/** @param {{turn: import('./trace.js').Shown, call: import('./contract.js').CallInFull, onRefused: (sentence: string) => void}} props */
function Form({ turn, call, onRefused }) {
  const messages = list(call.request.messages);
  const [texts, setTexts] = useState(messages.map((message) => plain(message.content)));
  const [model, setModel] = useState(plain(call.request.model));
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState(/** @type {any} */ (undefined));
  const [trouble, setTrouble] = useState('');
  const firstCut = cutAt(messages);

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setTrouble('');
    const edits = texts.flatMap((text, at) => (text === plain(messages[at].content) ? [] : [{ message: at, content: text }]));
    try {
      setOutcome(await post(`/api/call/rerun${asked(turn.owner)}`, { turn: turn.id, pid: call.pid, edits, ...(model !== call.request.model && { model }) }));
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      setTrouble(message);
      if (error instanceof Refusal && error.code === 'rerun_disabled') {
        onRefused(message);
        rerunRefused();
      }
    }
    setBusy(false);
  }

  return html`
    <form class="rerun" onSubmit=${submit}>
      ${messages.map((message, at) => html`
        <label key=${at}><span>${message.role}</span>
          ${at < firstCut
            ? html`<textarea rows=${Math.min(12, texts[at].split('\n').length + 1)} dir="auto" spellcheck="false" value=${texts[at]} onInput=${(/** @type {any} */ { target }) => setTexts(texts.with(at, target.value))}></textarea>`
            : html`<textarea rows="3" readonly value=${content(message)}></textarea><small>${t('rerun.cut')}</small>`}
        </label>
      `)}
      <p class="choices">
        <label class="model-choice">${t('rerun.model')}
          <select value=${model} onChange=${(/** @type {any} */ { target }) => setModel(target.value)}>
            ${[...new Set([...MODELS, plain(call.request.model)])].map((name) => html`<option value=${name}>${name}</option>`)}
          </select>
        </label>
        <button type="submit" class="strong" disabled=${isBusy}>${isBusy ? t('tests.running') : t('tests.run')}</button>
      </p>
      <div role="status">${outcome && html`<${Outcome} outcome=${outcome} />`}</div>
      ${trouble && html`<p class="bad" role="alert">${trouble}</p>`}
    </form>
  `;
}

/** From which message on a text isn't whole. @param {{content: string}[]} messages */
function cutAt(messages) {
  let bytes = 0;
  for (const [at, message] of messages.entries()) {
    bytes += new TextEncoder().encode(plain(message.content)).length;
    if (bytes >= SHOWN_BYTES) return at;
  }
  return messages.length;
}

/** @param {{outcome: any}} props */
function Outcome({ outcome: { recorded, rerun, same } }) {
  if (rerun.status !== 'done') return html`<p class="bad">${[rerun.code, rerun.detail].filter(Boolean).join(': ')}</p>`;
  const pieces = between(plain(recorded.answer), plain(rerun.answer));
  const { prompt_tokens: sent, completion_tokens: said, cost_micros: micros } = rerun.usage ?? {};
  const facts = [plain(rerun.reply?.model), duration(rerun.duration_ms), tokens(sent, said), cost(micros)];
  return html`
    <p><b>${same ? t('rerun.same') : t('rerun.differs')}</b> <span class="facts">${facts.filter(Boolean).join(' · ')}</span></p>
    <dl class="both">
      <div><dt>${t('rerun.before')}</dt><dd dir="auto"><${Pieces} pieces=${pieces.before} /></dd></div>
      <div><dt>${t('rerun.after')}</dt><dd dir="auto"><${Pieces} pieces=${pieces.after} /></dd></div>
    </dl>
  `;
}

/** @param {{pieces: import('./difference.js').Piece[]}} props */
function Pieces({ pieces }) {
  return pieces.map(({ text, isMarked }) => (isMarked ? html`<mark>${visible(text)}</mark>` : visible(text)));
}
