// The page: puts its parts together and starts.

import { html, render } from './vendor/ui.mjs';
import { Chat } from './chat.js';
import { lazy } from './lazy.js';
import { openPanel } from './route.js';
import { announcement, connection, notice, overdue, start, stop } from './session.js';
import { Topbar } from './topbar.js';

const Drawer = lazy(async () => (await import('./drawer.js')).Drawer, 'drawer.css');

function Page() {
  return html`
    <a class="skip" href="#message" onClick=${skip}>Skip to the message field</a>
    <${Topbar} />
    <${Notices} />
    <main class="panes">
      <${Chat} />
      ${openPanel.value && html`<${Drawer} />`}
      <p class="sr-only" role="status">${announcement.value}</p>
    </main>
  `;
}

const SLOWER = 'Something on the way to the server holds the direct connection back. Answers come all the same, a little later; buttons and Stop wait for it.';

/** @type {Record<string, string>} */
const BANNER = {
  lost: 'The connection to the server is lost. Trying again; what is not sent yet is kept.',
  stream: SLOWER,
  poll: SLOWER,
};

function Notices() {
  const said = overdue.value && BANNER[connection.value];
  return html`
    <div class="notices" role="status">
      ${said && html`<p class="notice">${said} ${said === SLOWER && html`<${Dismiss} what=${overdue} to=${false} />`}</p>`}
      ${notice.value &&
      html`<p class="notice">${notice.value} <${Dismiss} what=${notice} to="" /></p>`}
    </div>
  `;
}

/** @param {{what: {value: unknown}, to: unknown}} props */
function Dismiss({ what, to }) {
  return html`<button type="button" class="quiet" onClick=${() => (what.value = to)}>Dismiss</button>`;
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

const root = /** @type {HTMLElement} */ (document.getElementById('app'));
root.replaceChildren();
render(html`<${Page} />`, root);
start();
