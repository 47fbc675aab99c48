// The log-in, in the chat's place; and above the chat what is wrong with a log-in that is about to end or has ended.

import { html, useLayoutEffect, useRef } from './vendor/ui.mjs';
import { account } from './api.js';
import { Mark } from './buttons.js';
import { dated, t } from './i18n.js';
import { LanguageChoice } from './languages.js';
import { logIn } from './sign-in.js';

export function LogIn() {
  /** @type {{current: HTMLButtonElement | null}} */
  const button = useRef(null);
  useLayoutEffect(() => button.current?.focus({ preventScroll: true, focusVisible: false }), []);
  const { issuer = '', why = '' } = account.value ?? {};
  return html`
    <section class="log-in" aria-labelledby="log-in-title">
      <${Mark} />
      <h2 id="log-in-title">${t('login.title')}</h2>
      ${why && html`<p class="failure" role="alert">${why}</p>`}
      <p class="choices">
        <button type="button" class="strong" ref=${button} onClick=${() => logIn()}>${t('login.logIn')}</button>
        ${why && html`<button type="button" class="plain" onClick=${() => logIn('login')}>${t('login.other')}</button>`}
      </p>
      <p class="hint">${t('login.where', { issuer })}</p>
      <${LanguageChoice} />
    </section>
  `;
}

/** What the user has written and sees stays, and is here again after the log-in. */
export function LogInNotice() {
  const { isOver, why, endsAt } = account.value ?? {};
  const when = isOver ? t('login.ended') : t('login.ends', { time: dated(endsAt ?? 0, { timeStyle: 'short' }) });
  return html`
    <p class="notice"><span><b>${when}</b> ${why} ${t('login.kept')}</span>
      <button type="button" class="strong" onClick=${() => logIn()}>${t('login.again')}</button></p>
  `;
}
