// What is left of the user's day, where the server bounds it: in a quiet line below the message field, and in full in the sheet.

import { html } from './vendor/ui.mjs';
import { budget } from './session.js';
import { number } from './words.js';

/** @typedef {import('./contract.js').Budget} Budget */
/** @typedef {import('./contract.js').Share} Share */

/** @param {Budget} budget @returns {[string, Share][]} */
function shares({ turns, tokens, cost }) {
  /** @type {[string, Share | undefined][]} */
  const all = [['turns', turns], ['tokens', tokens], ['cost', cost]];
  return /** @type {[string, Share][]} */ (all.filter(([, share]) => typeof share?.left === 'number' && typeof share.limit === 'number'));
}

/** @param {string} name @param {number} value */
function amount(name, value) {
  return name === 'cost' ? value.toFixed(2) : number(value);
}

export function BudgetLine() {
  const now = budget.value;
  const parts = now ? shares(now) : [];
  if (parts.length === 0) return null;
  const isUsedUp = parts.some(([, { left }]) => left <= 0);
  const text = parts.map(([name, { left, limit }]) => `${amount(name, left)} of ${amount(name, limit)}${name === 'cost' ? ' in cost' : ` ${name}`}`).join(', ');
  return html`<p class="budget" data-used-up=${isUsedUp}>Left ${until(now)}: ${text}</p>`;
}

/** @param {{budget: Budget}} props */
export function Shares({ budget: now }) {
  return html`
    <dl class="shares">
      ${shares(now).map(([name, { left, limit }]) => html`<div><dt>${name}</dt><dd>${amount(name, left)} of ${amount(name, limit)}</dd></div>`)}
    </dl>
    <p>${now.resets_at ? `It resets at ${clock(now.resets_at)}.` : 'It resets tomorrow.'}</p>
  `;
}

/** @param {Budget | undefined} now */
function until(now) {
  return now?.resets_at ? `until ${clock(now.resets_at)}` : 'today';
}

/** @param {number} time */
function clock(time) {
  return new Date(time).toLocaleTimeString([], { timeStyle: 'short' });
}
