// What a turn is doing while it runs: its frames so far, and the node at work, from the server's events.

import { html } from './vendor/ui.mjs';
import { formatted, t } from './i18n.js';
import { running, serverNow } from './live.js';
import { useTicker } from './ticker.js';
import { duration } from './words.js';

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

/** One square for each frame, filled where a call was made; the last one of a turn that runs pulses.
 * @param {{frames: {calls?: unknown[]}[], isRunning?: boolean}} props */
export function Strip({ frames, isRunning = false }) {
  return html`<span class="strip" aria-hidden="true">${frames.map(({ calls }, at) => html`<i class=${[calls?.length ? 'call' : '', isRunning && at === frames.length - 1 ? 'now' : ''].join(' ').trim()}></i>`)}</span>`;
}

/** @type {Pick<import('./contract.js').LiveFrame, 'calls'>[]} */
const BEFORE_FIRST = [{ calls: [] }];

/** @param {{id: string}} props of a turn that runs, or is on its way to the server */
export function Working({ id }) {
  const turn = running.value?.id === id ? running.value : undefined;
  useTicker(turn !== undefined);
  const frames = turn?.frames.length ? turn.frames : BEFORE_FIRST;
  const isWaiting = frames.some(({ calls }) => calls?.some(({ kind, duration_ms: ms }) => kind === 'approval' && ms === undefined));
  const since = turn && !turn.isCut ? serverNow() - turn.started_at : 0;
  const doing = isWaiting ? t('chat.awaits') : turn?.nodes.join(' + ');
  return html`
    <p class="working">
      <span class="sr-only">${t('chat.working')}</span>
      <${Strip} frames=${frames} isRunning=${true} />
      <span class="now-at" aria-hidden="true">${[doing, clock(since)].filter(Boolean).join(' · ')}</span>
    </p>
  `;
}

/** Whole seconds; shorter waits need no clock. @param {number} ms */
function clock(ms) {
  if (ms < SECOND_MS) return '';
  return ms < MINUTE_MS ? `${formatted(Math.floor(ms / SECOND_MS))}\u00a0s` : duration(ms);
}
