// The conversation: its turns, the controls beneath them, and the place to write. It follows what is new only while the
// reader is at the end; otherwise a button offers to.

import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { Composer } from './composer.js';
import { Down, Mark } from './buttons.js';
import { lazy } from './lazy.js';
import { last } from './conversation.js';
import { beside, budget, busy, ready, say, turns } from './session.js';
import { TurnView } from './turn.js';

const NEAR_PX = 60;

/** Fetched with the first message, so that it is there when the first controls are. */
const Controls = lazy(async () => (await import('./controls.js')).Controls, 'controls.css');

const BudgetLine = lazy(async () => (await import('./budget.js')).BudgetLine, 'account.css');

export function Chat() {
  /** @type {{current: HTMLElement | null}} */
  const scroller = useRef(null);
  const following = useRef(true);
  const [away, setAway] = useState(false);

  function toEnd() {
    following.current = true;
    setAway(false);
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }

  function scrolled() {
    const element = scroller.current;
    if (!element) return;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
    following.current = atEnd;
    setAway(!atEnd);
  }

  useLayoutEffect(() => {
    if (following.current) toEnd();
    else scrolled();
  }, [turns.value, beside.value]);

  // What is fetched late makes the column longer later.
  useEffect(() => {
    const column = scroller.current?.firstElementChild;
    const observer = new ResizeObserver(() => following.current && toEnd());
    if (column) observer.observe(column);
    return () => observer.disconnect();
  }, []);

  const empty = ready.value && turns.value.length === 0;
  const lastKey = busy.value ? 0 : last(turns.value)?.key;
  return html`
    <section class="chat" aria-label="Conversation">
      <h2 class="sr-only">Conversation</h2>
      <div class="scroller" ref=${scroller} onScroll=${scrolled}>
        <div class="column">
          ${empty && html`<${Invitation} />`}
          ${turns.value.map((turn) => html`<${TurnView} key=${turn.key} turn=${turn} isIdle=${!busy.value} isLast=${turn.key === lastKey} />`)}
          ${(turns.value.length > 0 || beside.value.controls.length > 0) && html`<${Controls} />`}
        </div>
      </div>
      <div class="below">
        ${away && html`<button type="button" class="latest" onClick=${toEnd}><${Down} /> Jump to latest</button>`}
        <${Composer} onSent=${toEnd} />
        ${budget.value && html`<${BudgetLine} />`}
      </div>
    </section>
  `;
}

const EXAMPLES = [
  ['hello', 'a reflex'],
  ['why is the sky blue?', 'a question'],
  ['give me two buttons, red and blue', 'controls'],
  ['make a traffic light', 'a small machine'],
  ['what did I say before?', 'memory'],
];

function Invitation() {
  /** @param {string} text @param {MouseEvent} event */
  function choose(text, event) {
    say(text);
    // A key was pressed, not a finger: the button goes away, so its focus needs a place. On a phone that would open the keyboard.
    if (event.detail === 0) document.getElementById('message')?.focus();
  }
  return html`
    <div class="invitation">
      <${Mark} />
      <h3>Say something.</h3>
      <p>Every answer is made in frames that you can count. The line beneath it shows how many, and opens to show each one.</p>
      <ul>
        ${EXAMPLES.map(
          ([text, kind]) =>
            html`<li><button type="button" onClick=${(/** @type {MouseEvent} */ event) => choose(text, event)}><span>${text}</span><small>${kind}</small></button></li>`,
        )}
      </ul>
    </div>
  `;
}
