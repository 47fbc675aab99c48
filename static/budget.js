// What is left of the user's day, where the server bounds it: in a quiet line below the message field, and in full in the sheet.

import { html } from './vendor/ui.mjs';
import { dated, formatted, t } from './i18n.js';
import { budget } from './session.js';

/** @typedef {import('./contract.js').Budget} Budget */
/** @typedef {import('./contract.js').Share} Share */

/** @param {Budget} budget @returns {[string, Share][]} */
function shares({ turns, tokens, cost }) {
  /** @type {[string, Share | undefined][]} */
  const all = [['turns', turns], ['tokens', tokens], ['cost', cost]];
  return /** @type {[string, Share][]} */ (all.filter(([, share]) => typeof share?.left === 'number' && typeof share.limit === 'number'));
}

/** @param {string} name @param {Share} share @returns {Record<string, string>} */
function amounts(name, { left, limit }) {
  const options = name === 'cost' ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : undefined;
  return { left: formatted(left, options), limit: formatted(limit, options) };
}

/** @param {string} name @param {'line' | 'name'} form */
function keyOf(name, form) {
  return /** @type {import('./i18n.js').Key} */ (`budget.${form}.${name}`);
}

export function BudgetLine() {
  const now = budget.value;
  const parts = now ? shares(now) : [];
  if (parts.length === 0) return null;
  const isUsedUp = parts.some(([, { left }]) => left <= 0);
  const text = parts.map(([name, share]) => t(keyOf(name, 'line'), amounts(name, share))).join(', ');
  return html`<p class="budget" data-used-up=${isUsedUp}>${now?.resets_at ? t('budget.until', { time: clock(now.resets_at), text }) : t('budget.today', { text })}</p>`;
}

/** @param {{budget: Budget}} props */
export function Shares({ budget: now }) {
  return html`
    <dl class="shares">
      ${shares(now).map(([name, share]) => html`<div><dt>${t(keyOf(name, 'name'))}</dt><dd>${t('budget.share', amounts(name, share))}</dd></div>`)}
    </dl>
    <p>${now.resets_at ? t('budget.resets', { time: clock(now.resets_at) }) : t('budget.tomorrow')}</p>
  `;
}

/** @param {number} time */
function clock(time) {
  return dated(time, { timeStyle: 'short' });
}
