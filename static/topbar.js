// The bar above: the list of conversations, which model answers, what this conversation is called, whether the server is there,
// who is here, a new conversation, the cockpit and the theme.

import { html, useState } from './vendor/ui.mjs';
import { account, session } from './api.js';
import { Fresh, Moon, Panels, Person, Sun } from './buttons.js';
import { Logo, ownTexts } from './face.js';
import { t } from './i18n.js';
import { lazy } from './lazy.js';
import { isAbove, isBeside, toggleList } from './panes.js';
import { closePanel, openPanel } from './route.js';
import { connection, health, ready, startOver, turns } from './session.js';
import { theme, toggleTheme } from './theme.js';

export function Topbar() {
  const isOut = account.value?.sub === '';
  return html`
    <header class="topbar">
      ${!isOut && html`<${List} />`}
      <h1><${Logo} /> <span>${ownTexts.value.title ?? 'framewright'}</span></h1>
      <${Model} />
      <span class="spring">${!isOut && ready.value && html`<${Title} />`}</span>
      ${!isOut && html`<${Connection} /><${You} /><${NewConversation} /><${Cockpit} />`}
      <${ThemeButton} />
    </header>
  `;
}

const Title = lazy(async () => (await import('./title.js')).Title);

/** @param {string} path */
const icon = (path) => () => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>`;
const Lines = icon('M4 6h16M4 12h16M4 18h10');
const Sliders = icon('M4 7h8M16 7h4M4 17h4M12 17h8M14 4.5v5M10 14.5v5');

function List() {
  if (!ready.value) return null;
  const isOpen = isBeside.value || isAbove.value;
  return html`
    <button type="button" id="list-toggle" class="round quiet" aria-label=${t('list.heading')} title=${t('topbar.list')} aria-expanded=${isOpen} onClick=${toggleList}>
      <${Lines} />
    </button>
  `;
}

function ThemeButton() {
  const label = t(theme.value === 'dark' ? 'topbar.light' : 'topbar.dark');
  return html`
    <button type="button" class="round quiet theme" aria-label=${label} title=${label} onClick=${toggleTheme}>
      ${theme.value === 'dark' ? html`<${Sun} />` : html`<${Moon} />`}
    </button>
  `;
}

const Account = lazy(async () => (await import('./account.js')).Account, 'account.css');

/** Who is logged in; where nobody logs in, which conversation this is. */
function You() {
  const [isOpen, setOpen] = useState(false);
  const user = account.value;
  if (!ready.value) return null;
  return html`
    <button type="button" class="quiet you" popovertarget="about-you" title=${t(user ? 'topbar.account' : 'topbar.settings')}>
      ${user
        ? html`<${Person} /><span><span class="sr-only">${t('topbar.accountOf')} </span>${user.name}</span>`
        : html`<${Sliders} /><span class="sr-only">${t('topbar.settings')}, ${session || 'default'}</span>`}
    </button>
    <div id="about-you" class="sheet" popover="auto" role="dialog" aria-label=${t('topbar.you')} onBeforeToggle=${() => setOpen(true)}>
      ${isOpen && html`<${Account} />`}
    </div>
  `;
}

/** The drawer with the panels: opens with the trace, and closes whatever is open. */
function Cockpit() {
  const isOpen = Boolean(openPanel.value);
  const toggle = () => (isOpen ? closePanel() : (location.hash = '#/trace'));
  const label = t('topbar.cockpit');
  return html`<button type="button" class="round quiet" aria-label=${label} title=${label} aria-expanded=${isOpen} onClick=${toggle}><${Panels} /></button>`;
}

/** Seen beside the dot where there is room. */
function besideDot() {
  if (connection.value === 'stream') return t('connection.streamShort');
  return connection.value === 'blocked' ? t('connection.blockedShort') : '';
}

function Connection() {
  const state = connection.value;
  const text = t(`connection.${state}`);
  const short = besideDot();
  return html`<span class="connection" data-state=${state} title=${text}>${short && html`<small aria-hidden="true">${short}</small>`}<i></i><span class="sr-only">${text}</span></span>`;
}

/** Fetched when it is first opened. */
const About = lazy(async () => (await import('./about.js')).About);

function Model() {
  const [isOpen, setOpen] = useState(false);
  const model = health.value.model;
  if (!model?.name) return null;
  const demo = Boolean(model.demo ?? model.name === 'demo');
  return html`
    <button type="button" class="model" data-demo=${demo} popovertarget="about-model">${demo ? html`<span class="more">${t('topbar.demo')}</span><span class="less">${t('topbar.demoShort')}</span>` : model.name}</button>
    <div id="about-model" class="sheet" popover="auto" role="dialog" aria-label=${t('topbar.model')} onBeforeToggle=${() => setOpen(true)}>
      ${isOpen && html`<${About} isDemo=${demo} />`}
    </div>
  `;
}

/** The list has this button too. */
function NewConversation() {
  if (turns.value.length === 0 || isBeside.value) return null;
  const label = t('list.new');
  return html`<button type="button" class="round quiet" aria-label=${label} title=${label} onClick=${startOver}><${Fresh} /></button>`;
}
