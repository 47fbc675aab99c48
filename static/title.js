// What the conversation on the page is called: the title that the server keeps, and before it has one, the first question, out
// of which the server makes it. In the top bar, with its menu, and in the browser's tab.

import { computed, effect, html, useState } from './vendor/ui.mjs';
import { t } from './i18n.js';
import { current, readCurrent, titleOf } from './kept.js';
import { lazy } from './lazy.js';
import { graphName, turns } from './session.js';
import { unturned } from './words.js';

const PRODUCT = 'framewright';

/** Empty before there is a question. */
export const title = computed(() => unturned(current.value?.title || titleOf(firstQuestion() ?? '')));

function firstQuestion() {
  return turns.value.find(({ kind, question }) => kind === 'message' && question)?.question;
}

effect(() => {
  document.title = title.value ? `${title.value} · ${PRODUCT}` : PRODUCT;
});

// Only the server knows whether a conversation from before was renamed.
if (turns.peek().length > 0) readCurrent();

const Menu = lazy(async () => (await import('./menu.js')).Menu, 'conversations.css');

export function Title() {
  const [isOpen, setOpen] = useState(false);
  /** @param {any} event */
  function toggled({ newState }) {
    setOpen(newState === 'open');
    // What is done with it needs its row, which a new conversation has only now.
    if (newState === 'open' && !current.value && turns.value.length > 0) readCurrent();
  }
  return html`
    <button type="button" class="title" popovertarget="conversation-menu" title=${t('topbar.menu')}>
      <span class="sr-only">${t('topbar.conversation')} </span><b dir="auto">${title.value || t('list.new')}</b>
      ${graphName.value && html`<small>${graphName.value}</small>`}
    </button>
    <div id="conversation-menu" class="sheet" popover="auto" role="dialog" aria-label=${t('topbar.menu')} onBeforeToggle=${toggled}>
      ${isOpen && html`<${Menu} />`}
    </div>
  `;
}
