// Whether this user may make a recorded call again. Administrators may. For others the server decides; one that doesn't say so
// beforehand says so with its refusal.

import { signal } from './vendor/ui.mjs';
import { read } from './api.js';
import { remember, remembered } from './storage.js';

const REFUSED = 'rerun-refused';
/** @type {import('./vendor/ui.mjs').Signal<boolean | undefined>} */
const allowed = signal(remembered(REFUSED, 'tab') ? false : undefined);
let isAsked = false;

/** What isn't known counts as allowed. */
export function mayRerun() {
  if (!isAsked) ask();
  return allowed.value ?? true;
}

function ask() {
  isAsked = true;
  read('/api/me').then(
    ({ scopes = [], rerun }) => {
      if (scopes.includes('admin')) allowed.value = true;
      else if (rerun !== undefined) allowed.value = Boolean(rerun);
    },
    () => {}, // Then it is unknown.
  );
}

/** The server has refused it with `rerun_disabled`. */
export function rerunRefused() {
  allowed.value = false;
  remember(REFUSED, 'yes', 'tab');
}
