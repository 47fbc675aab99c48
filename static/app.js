// The page: puts its parts together and starts.

import { effect, html, render } from './vendor/ui.mjs';
import { account } from './api.js';
import { Chat } from './chat.js';
import { speak, t } from './i18n.js';
import { lazy } from './lazy.js';
import { isAbove, isBeside, openList } from './panes.js';
import { openPanel } from './route.js';
import { announcement, connection, notice, overdue, ready, start, stop, turns } from './session.js';
import { namesBehind } from './storage.js';
import { Topbar } from './topbar.js';

const Drawer = lazy(async () => (await import('./drawer.js')).Drawer, 'drawer.css');
const Conversations = lazy(async () => (await import('./conversations.js')).Conversations, 'conversations.css');

const LogIn = lazy(async () => (await import('./login.js')).LogIn, 'account.css');
const LogInNotice = lazy(async () => (await import('./login.js')).LogInNotice);

/** Nobody is logged in, or the server has never taken the log-in. */
function isLoggedOut() {
  const user = account.value;
  return Boolean(user && (!user.sub || (user.why && !ready.value)));
}

function Page() {
  const isOut = isLoggedOut();
  const isHere = ready.value && !isOut;
  return html`
    ${!isOut && html`<a class="skip" href="#message" onClick=${skip}>${t('app.skip')}</a>`}
    <${Topbar} />
    <${Notices} />
    <div class="panes">
      ${isHere && (isBeside.value || isAbove.value) && html`<${Conversations} />`}
      <main class="panes">
        ${isOut ? html`<${LogIn} />` : html`<${Chat} />`}
        ${isHere && openPanel.value && html`<${Drawer} />`}
        <p class="sr-only" role="status">${announcement.value}</p>
      </main>
    </div>
  `;
}

function banner() {
  if (connection.value === 'lost') return t('app.lost');
  return connection.value === 'blocked' ? t('app.blocked') : '';
}

function Notices() {
  const user = account.value;
  const text = overdue.value && !user?.isOver && banner();
  return html`
    <div class="notices" role="status">
      ${user?.sub && user.why && ready.value && html`<${LogInNotice} />`}
      ${text && html`<p class="notice">${text}</p>`}
      ${notice.value && html`<p class="notice">${notice.value} <button type="button" class="quiet" onClick=${() => (notice.value = '')}>${t('app.dismiss')}</button></p>`}
    </div>
  `;
}

/** Moves the focus without touching the address, which says what is open. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById('message')?.focus();
}

document.addEventListener('keydown', (event) => {
  // Esc belongs first to what lies on top.
  if (event.key === 'Escape' && !document.querySelector('dialog[open], :popover-open')) stop();
  if (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && ready.value && !isLoggedOut()) {
    event.preventDefault();
    openList();
  }
});

// In a frame it only carries the issuer's answer to the page around it: see `issuer.js`.
if (window === window.top) {
  const root = /** @type {HTMLElement} */ (document.getElementById('app'));
  await speak();
  root.replaceChildren();
  render(html`<${Page} />`, root);
  const unvisited = effect(() => {
    // A visit without a message leaves nothing, and may find something only in a tab that was used before.
    const isEmpty = turns.value.length === 0 && ['deleting:', 'pending:'].every((what) => namesBehind(what, 'tab').length === 0);
    if (ready.value && !isEmpty) import('./visit.js').then(() => unvisited(), () => {});
  });
  start();
}
