// What the page's address says is open: `#/turn/msg_3` is that turn's trace, `#/state` the panel of that name,
// `#/graph?turn=msg_3` a panel on that turn. So the back button closes, and a link opens.

import { batch, computed, signal } from './vendor/ui.mjs';

/** The panel that is open; empty when none is. */
export const openPanel = signal('');
/** The turn that is looked at; empty for the latest one. */
export const openTurn = signal('');
const query = signal('');
/** What the panel shows, such as a filter. */
export const openQuery = computed(() => new URLSearchParams(query.value));
/** Whose turn that is, if another user's; a part of a request's query. @type {{readonly value: {session?: string, user?: string}}} */
export const openOwner = computed(() => {
  const { user, session } = Object.fromEntries(openQuery.value);
  return openTurn.value && user && session ? { session, user } : {};
});

/** @param {string} id @param {{session?: string, user?: string}} [owner] */
export function turnAddress(id, owner = {}) {
  return `#/turn/${id}${asked(owner)}`;
}

/** A panel, on the turn that is open. @param {string} name */
export function panelAddress(name) {
  const turn = openTurn.value;
  if (name === 'trace' && turn) return turnAddress(turn, openOwner.value);
  return `#/${name}${asked({ ...(name === 'turns' && filters), turn, ...openOwner.value })}`;
}

/** Of the list of turns, for the way back to it. @type {Record<string, string>} */
let filters = {};

/** @param {Record<string, string | undefined>} values */
export function asked(values) {
  const known = Object.entries(values).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return known.length > 0 ? `?${new URLSearchParams(known)}` : '';
}

export function closePanel() {
  history.pushState(null, '', location.pathname + location.search);
  look();
}

/** Another panel in place of the open one: the back button closes this one too. @param {string} address */
export function replacePanel(address) {
  history.replaceState(null, '', address);
  look();
}

function look() {
  const [, named = '', panel = named && 'trace', rest = ''] = /^#\/(?:turn\/(msg_\d+)|([a-z]+))(?:\?(.*))?$/.exec(location.hash) ?? [];
  const [turn = ''] = named ? [named] : (/^msg_\d+$/.exec(new URLSearchParams(rest).get('turn') ?? '') ?? []);
  batch(() => {
    openTurn.value = turn;
    query.value = rest;
    openPanel.value = panel;
  });
  if (panel === 'turns') {
    const { turn: _turn, session: _session, user: _user, ...others } = Object.fromEntries(openQuery.value);
    filters = others;
  }
}

addEventListener('hashchange', look);
addEventListener('popstate', look);
look();
