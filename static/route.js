// What the page's address says is open: `#/turn/msg_3` is that turn's trace. So the back button closes, and a link opens.

import { signal } from './vendor/ui.mjs';

/** The turn whose trace is open; empty when none is. */
export const openTurn = signal(present());

/** @param {string} id */
export function turnAddress(id) {
  return `#/turn/${id}`;
}

export function closeTurn() {
  history.pushState(null, '', location.pathname + location.search);
  openTurn.value = '';
}

function present() {
  return /^#\/turn\/(msg_\d+)$/.exec(location.hash)?.[1] ?? '';
}

addEventListener('hashchange', () => (openTurn.value = present()));
addEventListener('popstate', () => (openTurn.value = present()));
