// Values as models write them: whatever they put where, it can be shown.

import { written } from './api.js';

/** Any value as text, exactly; a model may have put anything anywhere. @param {unknown} value @returns {string} */
export function plain(value) {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? written(value) : String(value);
}

/** @template T @param {T | T[] | undefined | null} value @returns {T[]} */
export function list(value) {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
