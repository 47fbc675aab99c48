// The bar above: which model answers, whether the server is there, who is here, a new conversation, and the theme.

import { html, useRef, useState } from './vendor/ui.mjs';
import { account, session } from './api.js';
import { Fresh, Link, Mark, Moon, Panels, Person, Sun } from './buttons.js';
import { lazy } from './lazy.js';
import { closePanel, openPanel } from './route.js';
import { clear, connection, health, ready, startOver, turns } from './session.js';
import { theme, toggleTheme } from './theme.js';

export function Topbar() {
  const other = theme.value === 'dark' ? 'light' : 'dark';
  const isOut = account.value?.sub === '';
  return html`
    <header class="topbar">
      <h1><${Mark} /> <span>framewright</span></h1>
      <${Model} />
      <span class="spring"></span>
      ${!isOut && html`<${Connection} /><${You} /><${NewConversation} /><${Cockpit} />`}
      <button type="button" class="round quiet" aria-label=${`Use the ${other} theme`} title=${`Use the ${other} theme`} onClick=${toggleTheme}>
        ${other === 'dark' ? html`<${Moon} />` : html`<${Sun} />`}
      </button>
    </header>
  `;
}

const Account = lazy(async () => (await import('./account.js')).Account, 'account.css');

/** Who is logged in; where nobody logs in, which conversation this is. */
function You() {
  const [isOpen, setOpen] = useState(false);
  const user = account.value;
  if (!ready.value) return null;
  return html`
    <button type="button" class="quiet you" popovertarget="about-you" title=${user ? 'Account' : 'This conversation'}>
      ${user ? html`<${Person} />` : html`<${Link} />`}<span><span class="sr-only">${user ? 'Account of ' : 'Conversation '}</span>${user?.name ?? (session || 'default')}</span>
    </button>
    <div id="about-you" class="sheet" popover="auto" role="dialog" aria-label="You and this conversation" onBeforeToggle=${() => setOpen(true)}>
      ${isOpen && html`<${Account} />`}
    </div>
  `;
}

/** The drawer with the panels: opens with the trace, and closes whatever is open. */
function Cockpit() {
  const isOpen = Boolean(openPanel.value);
  const toggle = () => (isOpen ? closePanel() : (location.hash = '#/trace'));
  return html`<button type="button" class="round quiet" aria-label="Cockpit" title="Cockpit" aria-expanded=${isOpen} onClick=${toggle}><${Panels} /></button>`;
}

/** @type {Record<string, string>} */
const CONNECTION = {
  connecting: 'connecting',
  open: 'connected',
  stream: 'connected by the event stream',
  blocked: 'not connected: a proxy blocks live connections',
  lost: 'not connected',
};

/** Seen beside the dot where there is room. @type {Record<string, string>} */
const BESIDE_DOT = { stream: 'events', blocked: 'blocked' };

function Connection() {
  const said = CONNECTION[connection.value];
  return html`<span class="connection" data-state=${connection.value} title=${said}>${BESIDE_DOT[connection.value] && html`<small aria-hidden="true">${BESIDE_DOT[connection.value]}</small>`}<i></i><span class="sr-only">${said}</span></span>`;
}

/** Fetched when it is first opened. */
const About = lazy(async () => (await import('./about.js')).About);

function Model() {
  const [isOpen, setOpen] = useState(false);
  const model = health.value.model;
  if (!model?.name) return null;
  const demo = Boolean(model.demo ?? model.name === 'demo');
  return html`
    <button type="button" class="model" data-demo=${demo} popovertarget="about-model">${demo ? html`demo<span class="more"> model</span>` : model.name}</button>
    <div id="about-model" class="sheet" popover="auto" role="dialog" aria-label="About the model" onBeforeToggle=${() => setOpen(true)}>
      ${isOpen && html`<${About} isDemo=${demo} />`}
    </div>
  `;
}

function NewConversation() {
  /** @type {{current: HTMLDialogElement | null}} */
  const dialog = useRef(null);
  if (turns.value.length === 0) return null;
  const close = () => dialog.current?.close();
  function erase() {
    close();
    clear();
    // The button that had the focus goes away with the conversation.
    document.getElementById('message')?.focus();
  }
  return html`
    <button type="button" class="round quiet" aria-label="New conversation" title="New conversation" onClick=${() => dialog.current?.showModal()}>
      <${Fresh} />
    </button>
    <dialog class="sheet" ref=${dialog} aria-labelledby="clear-title">
      <h2 id="clear-title">Start a new conversation?</h2>
      <p>This one stays at its address, and the back button returns to it. If you erase it, it is forgotten with its controls and what was remembered.</p>
      <p class="choices">
        <button type="button" class="plain" onClick=${close}>Cancel</button>
        <button type="button" class="plain" onClick=${erase}>Erase this one</button>
        <button type="button" class="strong" onClick=${startOver}>Start a new one</button>
      </p>
    </dialog>
  `;
}
