// Numbers and times, as people read them.

/** `0.4 ms`, `3.2 ms`, `812 ms`, `4.1 s`, `2 min 5 s`; `<1 ms` for what began and ended within one tick of the server. Kept on
 * one line. @param {unknown} milliseconds */
export function duration(milliseconds) {
  const ms = Number(milliseconds) || 0;
  if (ms <= 0) return '<1\u00a0ms';
  if (ms < 0.95) return `${Number(ms.toPrecision(1))}\u00a0ms`;
  if (ms < 9.95) return `${Number(ms.toFixed(1))}\u00a0ms`;
  if (ms < 999.5) return `${Math.round(ms)}\u00a0ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)}\u00a0s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}\u00a0min\u00a0${seconds % 60}\u00a0s`;
}

/** `1 frame`, `4 frames`. @param {number} count @param {string} noun */
export function counted(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** An amount: `12,345.7`, and `2024` as it is. @param {number} value */
export function number(value) {
  return value.toLocaleString('en', { maximumFractionDigits: 3, useGrouping: 'min2' });
}
