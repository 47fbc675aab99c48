// What the conversation on the page is called: the title that the server keeps, and before it has one, the first question, out
// of which the server makes it. In the top bar, with its menu, and in the browser's tab.

import { computed, effect, html, signal, useState } from './vendor/ui.mjs';
import { Refusal, read, session } from './api.js';
import { ownTexts } from './face.js';
import { t } from './i18n.js';
import { lazy } from './lazy.js';
import { graphName, turns } from './session.js';
import { remember, remembered } from './storage.js';
import { unturned } from './words.js';

/** A kept conversation. @typedef {{id: string, title: string, created_at: number, used_at: number, turns: number, graph: string}} Row */

const PRODUCT = 'framewright';
const TITLE_CHARACTERS = 80;
/** The server keeps no conversations: asking once is enough. */
const NO_JOURNAL = 'no-journal';

/** The row of the conversation on this page, once the server has one. @type {import('./vendor/ui.mjs').Signal<Row | undefined>} */
export const current = signal(undefined);
/** Empty before there is a question. */
export const title = computed(() => unturned(current.value?.title || titleOf(firstQuestion() ?? '')));

/** The name of the conversation on this page, as the server lists it. */
export const here = () => session || 'default';

function firstQuestion() {
  return turns.value.find(({ kind, question }) => kind === 'message' && question)?.question;
}

/** A question as the server makes a title of it. @param {string} question */
export function titleOf(question) {
  const characters = Array.from(question.split(/\s+/).filter(Boolean).join(' '));
  return characters.length <= TITLE_CHARACTERS ? characters.join('') : `${characters.slice(0, TITLE_CHARACTERS - 1).join('').trimEnd()}…`;
}

/** Reads what the server has of the conversation on this page. */
export async function readCurrent() {
  if (remembered(NO_JOURNAL, 'tab')) return;
  const row = await read('/api/sessions', { ids: here(), limit: 1 }).then(
    ({ sessions }) => sessions[0],
    (error) => void (isWithoutJournal(error) && remember(NO_JOURNAL, '1', 'tab')),
  );
  if (row) current.value = row;
}

/** @param {unknown} error */
export function isWithoutJournal(error) {
  return error instanceof Refusal && error.code === 'no_journal';
}

effect(() => {
  const product = ownTexts.value.title ?? PRODUCT;
  document.title = title.value ? `${title.value} · ${product}` : product;
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
    <button type="button" class="conversation-title" popovertarget="conversation-menu" title=${t('topbar.menu')}>
      <span class="sr-only">${t('topbar.conversation')} </span><b dir="auto">${title.value || t('list.new')}</b>
      ${graphName.value && html`<small>${graphName.value}</small>`}
    </button>
    <div id="conversation-menu" class="sheet" popover="auto" role="dialog" aria-label=${t('topbar.menu')} onBeforeToggle=${toggled}>
      ${isOpen && html`<${Menu} />`}
    </div>
  `;
}
