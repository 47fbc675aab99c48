// The conversation: its turns, the controls beneath them, and the place to write. It follows what is new only while the
// reader is at the end; otherwise a button offers to.

import { effect, html, useRef } from './vendor/ui.mjs';
import { Composer } from './composer.js';
import { Down } from './buttons.js';
import { useFollowing } from './following.js';
import { Logo, ownTexts } from './face.js';
import { t } from './i18n.js';
import { lazy } from './lazy.js';
import { last } from './conversation.js';
import { shown } from './live.js';
import { beside, budget, busy, draft, ready, say, turns } from './session.js';

/** Fetched with the first turn, or while its message is written; and with it what draws its answer. */
const TurnView = lazy(async () => {
  import('./answer.js').catch(() => {});
  return (await import('./turn.js')).TurnView;
});
effect(() => {
  if (draft.value) TurnView.ahead();
});

/** Fetched with the first message, so that it is there when the first controls are. */
const Controls = lazy(async () => (await import('./controls.js')).Controls, 'controls.css');

const BudgetLine = lazy(async () => (await import('./budget.js')).BudgetLine, 'account.css');

export function Chat() {
  /** @type {{current: HTMLElement | null}} */
  const scroller = useRef(null);
  const { isAway, toEnd, scrolled } = useFollowing(scroller, [turns.value, beside.value, shown.value]);

  const empty = ready.value && turns.value.length === 0;
  const lastKey = busy.value ? 0 : last(turns.value)?.key;
  return html`
    <section class="chat" aria-label=${t('chat.title')}>
      <h2 class="sr-only">${t('chat.title')}</h2>
      <div class="scroller" ref=${scroller} onScroll=${scrolled}>
        <div class="column">
          ${empty && html`<${Invitation} />`}
          ${turns.value.map((turn) => html`<${TurnView} key=${turn.key} turn=${turn} isIdle=${!busy.value} isLast=${turn.key === lastKey} />`)}
          ${(turns.value.length > 0 || beside.value.controls.length > 0) && html`<${Controls} />`}
        </div>
      </div>
      <div class="below">
        ${isAway && html`<button type="button" class="latest" onClick=${toEnd}><${Down} /> ${t('chat.latest')}</button>`}
        <${Composer} onSent=${toEnd} />
        ${budget.value && html`<${BudgetLine} />`}
      </div>
    </section>
  `;
}

/** What the demo model answers, and the name of what that shows. @type {[string, import('./i18n.js').Key][]} */
const EXAMPLES = [
  ['hello', 'chat.example.reflex'],
  ['why is the sky blue?', 'chat.example.question'],
  ['give me two buttons, red and blue', 'chat.example.controls'],
  ['make a traffic light', 'chat.example.machine'],
  ['what did I say before?', 'chat.example.memory'],
];

function Invitation() {
  /** @param {string} text @param {MouseEvent} event */
  function choose(text, event) {
    say(text);
    // A key was pressed, not a finger: the button goes away, so its focus needs a place. On a phone that would open the keyboard.
    if (event.detail === 0) document.getElementById('message')?.focus();
  }
  const { greeting, examples } = ownTexts.value;
  /** @param {string} text @param {unknown} inside */
  const example = (text, inside) => html`<li><button type="button" onClick=${(/** @type {MouseEvent} */ event) => choose(text, event)}>${inside}</button></li>`;
  return html`
    <div class="invitation">
      <${Logo} />
      <h3>${t('chat.greeting')}</h3>
      <p dir="auto">${greeting ?? t('chat.invitation')}</p>
      <ul>
        ${examples
          ? examples.map((/** @type {string} */ text) => example(text, html`<span dir="auto">${text}</span>`))
          : EXAMPLES.map(([text, kind]) => example(text, html`<span lang="en">${text}</span><small>${t(kind)}</small>`))}
      </ul>
    </div>
  `;
}
