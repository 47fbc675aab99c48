// The panel State: what the session knows and does right now: calls that are out, memory, controls, machines, what the user
// interface holds, and the tables that it has read about.

import { html, useEffect, useRef, useState } from './vendor/ui.mjs';
import { read } from './api.js';
import { kindName } from './callwords.js';
import { list, plain } from './coerce.js';
import { t } from './i18n.js';
import { behind, descriptions, processes, serverNow } from './live.js';
import { beside, cancelCall, memory, ready } from './session.js';
import { useTicker } from './ticker.js';
import { duration } from './words.js';

const RETRY_MS = 2000;

export function StatePanel() {
  const schema = useSchema();
  const { controls, machines, uiState } = beside.value;
  if (!ready.value) return null;
  return html`
    <div class="state">
      <${Processes} />
      <${Memory} memory=${memory.value} />
      <${Machines} machines=${machines} />
      <${Controls} controls=${controls} />
      <${Section} part="Interface" title=${t('state.interface')}><${Facts} facts=${uiState} none=${t('state.no_interface')} /><//>
      <${Schema} schema=${schema} />
    </div>
  `;
}

/** The tables that the session has read about: no event carries them, so they are read after each description.
 * @returns {Record<string, any>} */
function useSchema() {
  const [schema, setSchema] = useState({});
  useEffect(() => {
    let isLeft = false;
    let timer = 0;
    function attempt() {
      read('/api/state').then(
        ({ schema_cache: known }) => isLeft || setSchema(known),
        () => isLeft || (timer = setTimeout(attempt, RETRY_MS)),
      );
    }
    attempt();
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [descriptions.value]);
  return schema;
}

/** @param {{part: string, title: string, note?: any, children?: any}} props */
function Section({ part, title, note, children }) {
  return html`<section data-part=${part}><h3>${title} ${note && html`<small>${note}</small>`}</h3>${children}</section>`;
}

function Processes() {
  const calls = processes.value;
  // Here and not above: a view that reads a signal is drawn again only for itself.
  useTicker(calls.length > 0);
  return html`
    <${Section} part="Running" title=${t('state.running')} note=${behind.value.length > 0 ? t('state.memorizing') : ''}>
      ${calls.length === 0 && html`<p class="none">${t('state.nothing_runs')}</p>`}
      <ul class="processes">
        ${calls.map(
          ({ pid, kind, label, turn, started_at: startedAt }) => html`
            <li key=${pid}>
              <span class="kind" data-kind=${kind}>${kindName(kind)}</span>
              <span class="name">${label} <small>${turn}</small></span>
              <span class="time">${duration(Math.max(1, serverNow() - startedAt))}</span>
              <button type="button" class="quiet" aria-label=${t('state.cancel_call', { label })} onClick=${() => cancelCall(pid)}>${t('state.cancel')}</button>
            </li>
          `,
        )}
      </ul>
    <//>
  `;
}

/** What is always shown first, and how it is called here. @type {Record<string, () => string>} */
const MEMORY = {
  user_name: () => t('state.user_name'),
  user_mood: () => t('state.user_mood'),
  topic: () => t('state.topic'),
  topic_history: () => t('state.topic_history'),
  situation: () => t('state.situation'),
  language: () => t('state.language'),
  style_hint: () => t('state.style_hint'),
  facts: () => t('state.facts'),
};

/** @param {{memory: Record<string, any>}} props */
function Memory({ memory }) {
  const names = [...Object.keys(MEMORY), ...Object.keys(memory).filter((name) => !(name in MEMORY))];
  const before = list(memory.topic_history).filter((topic) => topic !== memory.topic);
  const facts = Object.fromEntries(names.map((name) => [Object.hasOwn(MEMORY, name) ? MEMORY[name]() : name, name === 'topic_history' ? before : memory[name]]));
  return html`<${Section} part="Memory" title=${t('state.memory')}><${Facts} facts=${facts} none="" /><//>`;
}

/** Names and values; a value that changes lights up for a moment. @param {{facts: Record<string, any>, none: string}} props */
function Facts({ facts, none }) {
  const isShown = useRef(false);
  useEffect(() => void (isShown.current = true), []);
  const names = Object.keys(facts);
  if (names.length === 0) return html`<p class="none">${none}</p>`;
  return html`<dl>${names.map((name) => html`<div key=${name}><dt>${name}</dt><${Value} key=${plain(facts[name])} value=${facts[name]} isChanged=${isShown.current} /></div>`)}</dl>`;
}

/** Drawn afresh for each value. @param {{value: any, isChanged: boolean}} props */
function Value({ value, isChanged }) {
  const [lights] = useState(isChanged);
  const values = list(value).filter((one) => one !== '');
  return html`
    <dd data-changed=${lights}>
      ${values.length === 0 && html`<span class="nothing">–</span>`}
      ${values.length === 1 && plain(values[0])}
      ${values.length > 1 && html`<ul>${values.map((one) => html`<li>${plain(one)}</li>`)}</ul>`}
    </dd>
  `;
}

/** @param {{machines: import('./contract.js').Machine[]}} props */
function Machines({ machines }) {
  return html`
    <${Section} part="Machines" title=${t('state.machines')}>
      ${machines.length === 0 && html`<p class="none">${t('state.no_machine')}</p>`}
      ${machines.map(
        ({ id, initial, current, states }) => html`
          <p class="machine"><b>${id}</b>
            ${inOrder(list(states), initial).map((name) => html` <span class="machine-state" aria-current=${name === current ? 'true' : undefined}>${name}</span>`)}
          </p>
        `,
      )}
    <//>
  `;
}

/** The names of states as their buttons lead from one to the next. States that came as a map stand in the alphabet; what came in
 * another order was meant so. @param {import('./contract.js').Machine['states']} states @param {string} [initial] */
function inOrder(states, initial) {
  const names = states.map(({ name }) => name);
  if (!initial || names.join('\n') !== names.toSorted().join('\n')) return names;
  const reached = [initial];
  for (const from of reached) {
    const leads = list(states.find(({ name }) => name === from)?.buttons).map(({ go }) => go ?? '');
    reached.push(...leads.filter((to, at) => names.includes(to) && !reached.includes(to) && leads.indexOf(to) === at));
  }
  return [...reached, ...names.filter((name) => !reached.includes(name))];
}

/** @param {{controls: import('./contract.js').Control[]}} props */
function Controls({ controls }) {
  return html`
    <${Section} part="Controls" title=${t('state.controls')}>
      ${controls.length === 0 && html`<p class="none">${t('state.no_control')}</p>`}
      <ul class="control-list">
        ${controls.map(
          (control) => html`
            <li><span class="kind">${control.type}</span> ${said(control)} <small>${control.action && `→ ${control.go ?? control.action}`} ${control.source}</small></li>
          `,
        )}
      </ul>
    <//>
  `;
}

/** @param {any} control */
function said({ label, text, key }) {
  return plain(label || text || key).slice(0, 80);
}

/** @param {{schema: Record<string, any>}} props */
function Schema({ schema }) {
  const tables = Object.entries(schema);
  return html`
    <${Section} part="Tables" title=${t('state.tables')}>
      ${tables.length === 0 && html`<p class="none">${t('state.no_table')}</p>`}
      ${tables.map(
        ([name, columns]) => html`
          <details class="schema" key=${name}>
            <summary>${name} <small>${t('state.columns', { count: list(columns).length })}</small></summary>
            <ul>
              ${list(columns).map(({ column, type, key, references }) => html`<li><b>${plain(column)}</b> <span>${plain(type)}</span> <small>${[key, references && `→ ${references}`].filter(Boolean).join(' ')}</small></li>`)}
            </ul>
          </details>
        `,
      )}
    <//>
  `;
}
