// What calls and their outcomes are called, in the reader's language.

import { formatted, t } from './i18n.js';

/** @type {Record<string, () => string>} */
const KINDS = {
  llm: () => t('call.llm'),
  db: () => t('call.db'),
  approval: () => t('call.approval'),
  http: () => 'HTTP',
};

/** @param {string} kind */
export function kindName(kind) {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind]() : kind;
}

/** How a turn or a call broke off; empty where it didn't. @param {string} status */
export function brokenName(status) {
  return status === 'cancelled' ? t('call.stopped') : status === 'error' ? t('call.failed') : '';
}

/** What something cost, in the unit of the configured prices; empty where it cost nothing or no price is known.
 * @param {number | undefined} micros */
export function cost(micros) {
  if (!micros) return '';
  return formatted(micros / 1e6, { minimumFractionDigits: 2, maximumFractionDigits: 6 });
}

/** A turn's tokens, those asked and those answered. @param {number | undefined} asked @param {number | undefined} said */
export function tokens(asked, said) {
  return `${asked === undefined ? '?' : formatted(asked)} → ${said === undefined ? '?' : formatted(said)}`;
}
