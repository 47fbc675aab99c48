// Values as models write them: whatever they put where, it can be shown.

/** Any value as text; a model may have put anything anywhere. A number may be a year or an id, so it isn't grouped. @param {unknown} value @returns {string} */
export function plain(value) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(Number(value.toPrecision(12)));
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** @template T @param {T | T[] | undefined | null} value @returns {T[]} */
export function list(value) {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
