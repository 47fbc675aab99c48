// The bar above: which model answers, whether the server is there, a new conversation, and the theme.

import { html, useRef, useState } from './vendor/ui.mjs';
import { Fresh, Mark, Moon, Panels, Sun } from './buttons.js';
import { lazy } from './lazy.js';
import { closePanel, openPanel } from './route.js';
import { clear, connection, health, turns } from './session.js';
import { theme, toggleTheme } from './theme.js';

export function Topbar() {
  const other = theme.value === 'dark' ? 'light' : 'dark';
  return html`
    <header class="topbar">
      <h1><${Mark} /> framewright</h1>
      <${Model} />
      <span class="spring"></span>
      <${Connection} />
      <${NewConversation} />
      <${Cockpit} />
      <button type="button" class="round quiet" aria-label=${`Use the ${other} theme`} title=${`Use the ${other} theme`} onClick=${toggleTheme}>
        ${other === 'dark' ? html`<${Moon} />` : html`<${Sun} />`}
      </button>
    </header>
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
  function agreed() {
    dialog.current?.close();
    clear();
    // The button that had the focus goes away with the conversation.
    document.getElementById('message')?.focus();
  }
  return html`
    <button type="button" class="round quiet" aria-label="New conversation" title="New conversation" onClick=${() => dialog.current?.showModal()}>
      <${Fresh} />
    </button>
    <dialog class="sheet" ref=${dialog} aria-labelledby="clear-title">
      <h2 id="clear-title">Begin a new conversation?</h2>
      <p>This one is forgotten, with its controls and what was remembered.</p>
      <p class="choices">
        <button type="button" class="plain" onClick=${() => dialog.current?.close()}>Keep it</button>
        <button type="button" class="strong" onClick=${agreed}>Begin anew</button>
      </p>
    </dialog>
  `;
}
