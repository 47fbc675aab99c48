// The panel Turns: a table of turns, of this conversation or of all that the user may see, filtered and sorted by the server.
// What is chosen stands in the address; the turn that is chosen is shown by the chat, the trace and the graph as well.

import { html, useEffect, useState } from './vendor/ui.mjs';
import { account, read, session as ownSession } from './api.js';
import { brokenName, cost, tokens } from './callwords.js';
import { list } from './coerce.js';
import { graphs, readGraphs } from './graphs.js';
import { dated, t } from './i18n.js';
import { finished } from './live.js';
import { asked, openOwner, openQuery, openTurn, replacePanel, turnAddress } from './route.js';
import { duration, unturned } from './words.js';

/** @typedef {import('./contract.js').ListedTurn} ListedTurn */
/** @typedef {{turns: ListedTurn[], next: string | null}} Page */
/** @typedef {'own' | 'mine' | 'all'} Scope  this conversation, all of this user's, everyone's */

const PAGE = 50;
/** What of the address the server is asked as it stands there. */
const FILTERS = ['status', 'degraded', 'rating', 'graph', 'path', 'search', 'sort'];

export function TurnsPanel() {
  useEffect(readGraphs, []);
  const isAdmin = useIsAdmin();
  const chosen = Object.fromEntries(openQuery.value);
  const scope = scopeOf(chosen.scope, isAdmin);
  const [pages, setPages] = useState(/** @type {{of: string, before: string[]}} */ ({ of: '', before: [] }));
  const filters = Object.fromEntries(FILTERS.filter((name) => chosen[name]).map((name) => [name, chosen[name]]));
  const of = JSON.stringify([scope, filters]);
  const before = pages.of === of ? pages.before : [];
  // A turn that ends here belongs at the top; who reads further back is left alone.
  const latest = before.length === 0 ? finished.value[0]?.id : '';
  const { page, trouble, isReading } = usePage({ ...filters, ...SCOPE[scope], ...(before.length > 0 && { before: before.at(-1) ?? '' }) }, latest);

  /** @param {string} name @param {string} value */
  function change(name, value) {
    const { [name]: _, ...others } = chosen;
    replacePanel(`#/turns${asked({ ...others, ...(value && { [name]: value }) })}`);
  }

  return html`
    <div class="turns" aria-busy=${isReading}>
      <${Filters} chosen=${chosen} scope=${scope} isAdmin=${isAdmin} change=${change} />
      ${trouble && html`<p class="bad" role="alert">${trouble}</p>`}
      ${page && page.turns.length === 0 && html`<p class="hint empty" role="status">${Object.keys(filters).some((name) => name !== 'sort') ? t('turns.none_found') : t('turns.none')}</p>`}
      ${page && page.turns.length > 0 && html`<${Table} turns=${page.turns} scope=${scope} sort=${chosen.sort ?? 'latest'} change=${change} />`}
      ${(page?.next || before.length > 0) && html`
        <nav class="pages" aria-label=${t('turns.pages')}>
          <button type="button" class="plain" disabled=${before.length === 0} onClick=${() => setPages({ of, before: before.slice(0, -1) })}>${t('turns.previous')}</button>
          <span role="status">${t('turns.page', { page: before.length + 1 })}</span>
          <button type="button" class="plain" disabled=${!page?.next} onClick=${() => page?.next && setPages({ of, before: [...before, page.next] })}>${t('turns.next')}</button>
        </nav>
      `}
    </div>
  `;
}

/** What is asked of the server for each. @type {Record<Scope, Record<string, string>>} */
const SCOPE = { own: {}, mine: { session: '' }, all: { session: '', all: 'true' } };

/** Whether this user sees everyone's turns: where users sign in, an administrator does, else a user on the server's own machine. */
function useIsAdmin() {
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname);
  const [isAdmin, setAdmin] = useState(!account.value && isHere);
  useEffect(() => {
    if (account.value) read('/api/me').then(({ scopes }) => setAdmin(list(scopes).includes('admin')), () => {});
  }, []);
  return isAdmin;
}

/** @param {string | undefined} wanted @param {boolean} isAdmin @returns {Scope} */
function scopeOf(wanted, isAdmin) {
  if (wanted === 'all' && isAdmin) return 'all';
  // Where nobody signs in all would be one user.
  return wanted === 'mine' && account.value ? 'mine' : 'own';
}

/** A page of the list, read again when what is asked changes. @param {Record<string, string>} query @param {string | undefined} mark
 * @returns {{page?: Page, trouble: string, isReading: boolean}} */
function usePage(query, mark) {
  const [seen, setSeen] = useState(/** @type {{of: string, page?: Page, trouble: string}} */ ({ of: '', trouble: '' }));
  const of = JSON.stringify([query, mark]);
  useEffect(() => {
    let isLeft = false;
    read('/api/turns', { limit: PAGE, ...query }).then(
      ({ turns, next }) => isLeft || setSeen({ of, page: { turns: list(turns), next }, trouble: '' }),
      (error) => isLeft || setSeen({ of, trouble: error.message }),
    );
    return () => {
      isLeft = true;
    };
  }, [of]);
  return { ...seen, isReading: seen.of !== of };
}

/** @param {{chosen: Record<string, string>, scope: Scope, isAdmin: boolean, change: (name: string, value: string) => void}} props */
function Filters({ chosen, scope, isAdmin, change }) {
  const paths = [...new Set(graphs.value.filter(({ name }) => !chosen.graph || name === chosen.graph).flatMap((graph) => graph.paths.map(({ name }) => name)))];
  const scopes = [['', t('turns.own')], ...(account.value ? [['mine', t('turns.mine')]] : []), ...(isAdmin ? [['all', t('turns.all')]] : [])];
  return html`
    <form class="filters" role="search" aria-label=${t('turns.filter')} onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <input type="search" aria-label=${t('turns.search')} placeholder=${t('turns.search')} value=${chosen.search ?? ''} onChange=${(/** @type {any} */ { target }) => change('search', target.value.trim())} />
      ${scopes.length > 1 && html`<${Choice} label=${t('turns.scope')} value=${scope === 'own' ? '' : scope} options=${scopes} onChoose=${(/** @type {string} */ value) => change('scope', value)} />`}
      <${Choice} label=${t('turns.status')} value=${chosen.status} options=${[['', t('turns.any_status')], ['done', t('turns.done')], ['error', t('call.failed')], ['cancelled', t('call.stopped')]]} onChoose=${(/** @type {string} */ value) => change('status', value)} />
      <${Choice} label=${t('turns.degraded')} value=${chosen.degraded} options=${[['', t('turns.any_degraded')], ['true', t('turns.degraded')], ['false', t('turns.not_degraded')]]} onChoose=${(/** @type {string} */ value) => change('degraded', value)} />
      <${Choice} label=${t('turns.rating')} value=${chosen.rating} options=${[['', t('turns.any_rating')], ['1', t('turns.good')], ['-1', t('turns.bad')]]} onChoose=${(/** @type {string} */ value) => change('rating', value)} />
      <${Choice} label=${t('cockpit.graph')} value=${chosen.graph} options=${[['', t('turns.any_graph')], ...graphs.value.map(({ name }) => [name, name])]} onChoose=${(/** @type {string} */ value) => change('graph', value)} />
      <${Choice} label=${t('turns.path')} value=${chosen.path} options=${[['', t('turns.any_path')], ...paths.map((name) => [name, name])]} onChoose=${(/** @type {string} */ value) => change('path', value)} />
    </form>
  `;
}

/** @param {{label: string, value?: string, options: string[][], onChoose: (value: string) => void}} props */
function Choice({ label, value = '', options, onChoose }) {
  const all = options.some(([name]) => name === value) ? options : [...options, [value, value]];
  return html`
    <select aria-label=${label} value=${value} data-set=${value !== ''} onChange=${(/** @type {any} */ { target }) => onChoose(target.value)}>
      ${all.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
    </select>
  `;
}

/** @param {{turns: ListedTurn[], scope: Scope, sort: string, change: (name: string, value: string) => void}} props */
function Table({ turns, scope, sort, change }) {
  const isPriced = turns.some(({ cost_micros: micros }) => micros > 0);
  /** @type {[string, string, string][]} what it is called, what the server sorts by, and how it stands */
  const columns = [
    [t('turns.question'), '', ''],
    [t('turns.status'), '', ''],
    [t('turns.path'), '', ''],
    [t('turns.time'), 'slowest', 'numeric'],
    [t('turns.first_token'), 'first_token', 'numeric'],
    [t('trace.tokens_column'), 'tokens', 'numeric'],
    ...(isPriced ? [/** @type {[string, string, string]} */ ([t('trace.cost_column'), 'cost', 'numeric'])] : []),
    [t('turns.rating'), '', ''],
    [t('turns.started'), 'latest', ''],
  ];
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${t('cockpit.turns')}>
      <table class="turn-table">
        <thead>
          <tr>${columns.map(([name, by, look]) => html`
            <th scope="col" class=${look} aria-sort=${by && by === sort ? 'descending' : undefined}>
              ${by ? html`<button type="button" onClick=${() => change('sort', by === 'latest' ? '' : by)}>${name}<span aria-hidden="true">${by === sort ? ' ↓' : ''}</span></button>` : name}
            </th>`)}
          </tr>
        </thead>
        <tbody>${turns.map((turn) => html`<${Row} key=${`${turn.user} ${turn.session} ${turn.id}`} turn=${turn} scope=${scope} isPriced=${isPriced} columns=${columns.length} />`)}</tbody>
      </table>
    </div>
  `;
}

/** Of today's only the time. @param {number} milliseconds */
function moment(milliseconds) {
  const isToday = new Date(milliseconds).toDateString() === new Date().toDateString();
  return dated(milliseconds, isToday ? { timeStyle: 'medium' } : { dateStyle: 'short', timeStyle: 'short' });
}

/** Where a turn is looked at: here, in its own conversation, or where it is another user's, without one.
 * @param {ListedTurn} turn */
function placeOf({ user, session }) {
  const isOwnUser = !user || !account.value || user === account.value.sub;
  if (!isOwnUser) return { owner: { session, user: user ?? '' }, page: '' };
  return { owner: {}, page: session === (ownSession || 'default') ? '' : `${location.pathname}?session=${encodeURIComponent(session)}` };
}

/** @param {{turn: ListedTurn, scope: Scope, isPriced: boolean, columns: number}} props */
function Row({ turn, scope, isPriced, columns }) {
  const { owner, page } = placeOf(turn);
  const isChosen = !page && openTurn.value === turn.id && openOwner.value.session === owner.session && openOwner.value.user === owner.user;
  const { turn: _turn, session: _session, user: _user, ...filters } = Object.fromEntries(openQuery.value);
  const whose = scope === 'own' ? '' : [turn.user && account.value && turn.user, turn.session].filter(Boolean).join(' · ');
  return html`
    <tr aria-current=${isChosen ? 'true' : undefined} data-turn-row=${turn.id} data-replaced=${Boolean(turn.replaced)}>
      <th scope="row">
        <a href=${`${page}#/turns${asked({ ...filters, turn: turn.id, ...owner })}`}>${unturned(turn.question) || t('turns.no_question')}</a>
        <small>${[turn.id, whose, turn.replaced && t('turns.replaced')].filter(Boolean).join(' · ')}</small>
      </th>
      <td>${brokenName(turn.status) ? html`<b class="bad">${brokenName(turn.status)}</b>` : turn.status === 'done' ? t('turns.done') : turn.status}${turn.degraded && html` <span class="tag">${t('turns.degraded')}</span>`}</td>
      <td>${turn.path}</td>
      <td class="numeric">${duration(turn.total_ms)}</td>
      <td class="numeric">${turn.first_token_ms === null ? '–' : duration(turn.first_token_ms)}</td>
      <td class="numeric">${turn.tokens_in + turn.tokens_out > 0 ? tokens(turn.tokens_in, turn.tokens_out) : '–'}</td>
      ${isPriced && html`<td class="numeric">${cost(turn.cost_micros) || '–'}</td>`}
      <td>${turn.rating ? html`<span aria-hidden="true">${turn.rating > 0 ? '👍' : '👎'}</span><span class="sr-only">${turn.rating > 0 ? t('turns.good') : t('turns.bad')}</span>` : ''}</td>
      <td class="time">${moment(turn.started_at)}</td>
    </tr>
    ${isChosen && html`
      <tr class="chosen-turn">
        <td colspan=${columns}>
          ${turn.degraded && html`<p><b>${t('turns.degraded')}:</b> ${turn.degraded}</p>`}
          ${turn.comment && html`<p dir="auto">“${unturned(turn.comment)}”</p>`}
          <p class="facts">${turn.graph} · <a href=${turnAddress(turn.id, owner)}>${t('cockpit.trace')}</a> · <a href=${`#/graph${asked({ turn: turn.id, ...owner })}`}>${t('cockpit.graph')}</a></p>
        </td>
      </tr>
    `}
  `;
}
