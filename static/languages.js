// The choice of the page's language: in the account sheet and on the log-in page.

import { html } from './vendor/ui.mjs';
import { LANGUAGES, choose, language, t } from './i18n.js';

export function LanguageChoice() {
  return html`
    <p class="setting">
      <label for="language">${t('account.language')}</label>
      <select id="language" value=${language.value} onChange=${(/** @type {any} */ { target }) => choose(target.value)}>
        ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} lang=${code} selected=${code === language.value}>${name}</option>`)}
      </select>
    </p>
  `;
}
