// What the page's address says is open: `#/turn/msg_3` is that turn's trace, `#/state` the panel of that name. So the back
// button closes, and a link opens.

import { batch, signal } from './vendor/ui.mjs';

/** The panel that is open; empty when none is. */
export const openPanel = signal('');
/** The turn whose trace is open; empty for the latest one. */
export const openTurn = signal('');

/** @param {string} id */
export function turnAddress(id) {
  return `#/turn/${id}`;
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
  const [, turn = '', panel = turn && 'trace'] = /^#\/(?:turn\/(msg_\d+)|([a-z]+))$/.exec(location.hash) ?? [];
  batch(() => {
    openTurn.value = turn;
    openPanel.value = panel;
  });
}

addEventListener('hashchange', look);
addEventListener('popstate', look);
look();
