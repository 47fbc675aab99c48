// Conversations by the day on which they were last used. Pure: no page, no clock.

/** @typedef {'today' | 'yesterday' | 'older'} Day */

/** @type {Day[]} */
const DAYS = ['today', 'yesterday', 'older'];

/** Groups that have rows, the latest first; the order within each stays. Days are those of the reader's clock.
 * @template {{used_at: number}} Row @param {Row[]} rows @param {number} now milliseconds @returns {{day: Day, rows: Row[]}[]} */
export function grouped(rows, now) {
  return DAYS.map((day) => ({ day, rows: rows.filter(({ used_at: at }) => dayOf(at, now) === day) })).filter((group) => group.rows.length > 0);
}

/** What lies ahead of a clock that is behind the server's is today. @param {number} at @param {number} now @returns {Day} */
export function dayOf(at, now) {
  if (at >= midnight(now, 0)) return 'today';
  return at >= midnight(now, 1) ? 'yesterday' : 'older';
}

/** The beginning of a day, also where one has 23 or 25 hours. @param {number} now @param {number} daysAgo */
function midnight(now, daysAgo) {
  const date = new Date(now);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() - daysAgo).getTime();
}
