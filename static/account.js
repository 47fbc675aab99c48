// Who is here, in which conversation, and how the page is shown: the sheet behind the button in the top bar.

import { html } from './vendor/ui.mjs';
import { account, isShared, session } from './api.js';
import { CopyButton } from './buttons.js';
import { Shares } from './budget.js';
import { t } from './i18n.js';
import { LanguageChoice } from './languages.js';
import { budget } from './session.js';
import { theme, toggleTheme } from './theme.js';

export function Account() {
  const user = account.value;
  return html`
    ${user && html`<${User} ...${user} />`}
    <h2>${t('account.conversation')}</h2>
    <p class="conversation"><code>${session || 'default'}</code>${session && html`<${CopyButton} text=${() => location.href} label=${t('account.copy')} />`}</p>
    <p>${meaning()}</p>
    ${budget.value && html`<h2>${t('account.left')}</h2><${Shares} budget=${budget.value} />`}
    <h2>${t('account.page')}</h2>
    <${LanguageChoice} />
    <p class="only-narrow"><button type="button" class="plain" onClick=${toggleTheme}>${t(theme.value === 'dark' ? 'topbar.light' : 'topbar.dark')}</button></p>
  `;
}

function meaning() {
  if (isShared) return t('account.shared');
  return `${t('account.own')} ${t(session ? 'account.atAddress' : 'account.everywhere')}`;
}

/** @param {import('./api.js').Account} user */
function User({ name, email, issuer }) {
  // There was no need for it until somebody had logged in.
  const leave = async () => (await import('./sign-in.js')).logOut();
  return html`
    <h2 dir="auto">${name}</h2>
    <p>${email && email !== name && html`<span dir="auto">${email}</span><br />`}${t('account.issuer', { issuer })}</p>
    <p><button type="button" class="plain" onClick=${leave}>${t('account.logOut')}</button></p>
  `;
}
