// The conversations that this browser has been in, the latest first. Where nobody signs in, the server lists only those that
// the page can name.

import { parsed } from './api.js';
import { remember, remembered } from './storage.js';

const VISITED = 'visited';
/** As many as the server lists at once. */
const NAMES_MAX = 200;
/** They are part of an address. */
const CHARACTERS_MAX = 4000;
const NAME = /^[\w-]{1,64}$/;

/** @returns {string[]} */
export function visited() {
  try {
    const names = parsed(remembered(VISITED) || '[]');
    return Array.isArray(names) ? bounded(names.filter((name) => typeof name === 'string' && NAME.test(name))) : [];
  } catch {
    // Somebody else wrote there.
    return [];
  }
}

/** @param {string} name */
export function visit(name) {
  write([name, ...visited().filter((other) => other !== name)]);
}

/** @param {string} name */
export function forgetVisit(name) {
  write(visited().filter((other) => other !== name));
}

/** The latest that fit. @param {string[]} names */
export function bounded(names) {
  let characters = 0;
  return names.slice(0, NAMES_MAX).filter((name) => (characters += name.length + 1) <= CHARACTERS_MAX);
}

/** @param {string[]} names */
function write(names) {
  remember(VISITED, names.length > 0 ? JSON.stringify(bounded(names)) : '');
}
