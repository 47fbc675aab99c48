// The page: puts its parts together and starts.

import { html, render } from './vendor/ui.mjs';
import { account } from './api.js';
import { Chat } from './chat.js';
import { speak, t } from './i18n.js';
import { lazy } from './lazy.js';
import { openPanel } from './route.js';
import { announcement, connection, notice, overdue, ready, start, stop } from './session.js';
import { Topbar } from './topbar.js';

const Drawer = lazy(async () => (await import('./drawer.js')).Drawer, 'drawer.css');

const LogIn = lazy(async () => (await import('./login.js')).LogIn, 'account.css');
const LogInNotice = lazy(async () => (await import('./login.js')).LogInNotice);

function Page() {
  const user = account.value;
  // Nobody is logged in, or the server has never taken the log-in.
  const isOut = user && (!user.sub || (user.why && !ready.value));
  return html`
    ${!isOut && html`<a class="skip" href="#message" onClick=${skip}>${t('app.skip')}</a>`}
    <${Topbar} />
    <${Notices} />
    <main class="panes">
      ${isOut ? html`<${LogIn} />` : html`<${Chat} />`}
      ${ready.value && !isOut && openPanel.value && html`<${Drawer} />`}
      <p class="sr-only" role="status">${announcement.value}</p>
    </main>
  `;
}

/** @type {Record<string, string>} */
const BANNER = {
  lost: 'The connection to the server is lost. Reconnecting; unsent messages are kept.',
  blocked: 'A proxy between this page and the server blocks live connections: neither WebSockets nor event streams get through. Retrying; unsent messages are kept. Operators: “framewright config nginx” prints settings that work.',
};

function Notices() {
  const user = account.value;
  const banner = overdue.value && !user?.isOver && BANNER[connection.value];
  return html`
    <div class="notices" role="status">
      ${user?.sub && user.why && ready.value && html`<${LogInNotice} />`}
      ${banner && html`<p class="notice">${banner}</p>`}
      ${notice.value && html`<p class="notice">${notice.value} <button type="button" class="quiet" onClick=${() => (notice.value = '')}>Dismiss</button></p>`}
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
});

// In a frame it only carries the issuer's answer to the page around it: see `issuer.js`.
if (window === window.top) {
  const root = /** @type {HTMLElement} */ (document.getElementById('app'));
  await speak();
  root.replaceChildren();
  render(html`<${Page} />`, root);
  start();
}
