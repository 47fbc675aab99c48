// Numbers, times and text, as people read them.

import { formatted } from './i18n.js';

/** `0.4 ms`, `3.2 ms`, `812 ms`, `4.1 s`, `2 min 5 s`; `<1 ms` for what began and ended within one tick of the server. Kept on
 * one line; empty where no time is known. @param {number | undefined} ms */
export function duration(ms) {
  if (ms === undefined) return '';
  if (ms <= 0) return '<1\u00a0ms';
  if (ms < 0.95) return `${formatted(ms, { maximumSignificantDigits: 1 })}\u00a0ms`;
  if (ms < 9.95) return `${formatted(ms, { maximumFractionDigits: 1 })}\u00a0ms`;
  if (ms < 999.5) return `${formatted(Math.round(ms))}\u00a0ms`;
  if (ms < 59_950) return `${formatted(ms / 1000, { minimumFractionDigits: 1, maximumFractionDigits: 1 })}\u00a0s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}\u00a0min\u00a0${seconds % 60}\u00a0s`;
}

/** `1 frame`, `4 frames`. @param {number | undefined} count @param {string} noun */
export function counted(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A count: `12,345`, `2024`, and `?` where none is known. @param {number | undefined} value */
export function number(value) {
  return value === undefined ? '?' : formatted(value);
}

/** Characters that turn the order of those around them, and can so make a text read as another. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** For values and code, where each character counts. @param {string} text */
export function visible(text) {
  return text.replace(TURNING, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}

/** For prose. @param {string} text */
export function unturned(text) {
  return text.replace(TURNING, '');
}

/** Whether the first letter is Hebrew, Arabic or of a script written like them. @param {string} text */
export function isRightToLeft(text) {
  return /^\P{L}*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u.test(text);
}
