// What a visit to a conversation leaves for the next one, and takes up from the one before: the conversation's name, where the
// reader was, and what was not finished elsewhere. Fetched once the conversation is shown.

import { effect } from './vendor/ui.mjs';
import { isShared, session } from './api.js';
import { keepPlace, returnToPlace } from './place.js';
import { own, turns } from './session.js';
import { namesBehind, remembered } from './storage.js';
import { visit } from './visited.js';

returnToPlace();
addEventListener('pagehide', keepPlace);
document.addEventListener('visibilitychange', () => document.hidden && keepPlace());

// One without a message is nothing to come back to.
let isVisited = false;
effect(() => {
  if (isVisited || !isShared || turns.value.length === 0) return;
  isVisited = true;
  visit(session);
});

if (remembered(own('deleting', ''), 'tab')) import('./deletions.js').catch(() => {});
if (namesBehind(own('pending', ''), 'tab').some((name) => name !== session)) import('./elsewhere.js').then(({ sendRest }) => sendRest(session), () => {});
