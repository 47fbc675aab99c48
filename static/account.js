// Who is here and in which conversation: the sheet behind the button in the top bar.

import { html } from './vendor/ui.mjs';
import { account, isShared, session } from './api.js';
import { CopyButton } from './buttons.js';
import { Shares } from './budget.js';
import { budget } from './session.js';

export function Account() {
  const user = account.value;
  return html`
    ${user && html`<${User} ...${user} />`}
    <h2>This conversation</h2>
    <p class="conversation"><code>${session || 'default'}</code>${session && html`<${CopyButton} text=${() => location.href} label="Copy the address of this conversation" />`}</p>
    <p>${meaning()}</p>
    ${budget.value && html`<h2>Left today</h2><${Shares} budget=${budget.value} />`}
  `;
}

function meaning() {
  if (isShared) return 'Anyone who opens this page’s address takes part in it. A bookmark leads back here.';
  const way = session ? 'You can, at this page’s address, on any device where you are logged in.' : 'It is the same on every device where you are logged in.';
  return `It belongs to your account: other users can’t open it. ${way}`;
}

/** @param {import('./api.js').Account} user */
function User({ name, email, issuer }) {
  // There was no need for it until somebody had logged in.
  const leave = async () => (await import('./sign-in.js')).logOut();
  return html`
    <h2 dir="auto">${name}</h2>
    <p>${email && email !== name && html`<span dir="auto">${email}</span><br />`}Logged in at ${issuer}</p>
    <p><button type="button" class="plain" onClick=${leave}>Log out</button></p>
  `;
}
