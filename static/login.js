// The log-in, in the chat's place; and above the chat what is wrong with a log-in that is about to end or has ended.

import { html, useLayoutEffect, useRef } from './vendor/ui.mjs';
import { account } from './api.js';
import { Mark } from './buttons.js';
import { logIn } from './sign-in.js';

export function LogIn() {
  /** @type {{current: HTMLButtonElement | null}} */
  const button = useRef(null);
  useLayoutEffect(() => button.current?.focus({ preventScroll: true, focusVisible: false }), []);
  const { issuer = '', why = '' } = account.value ?? {};
  return html`
    <section class="log-in" aria-labelledby="log-in-title">
      <${Mark} />
      <h2 id="log-in-title">Log in to talk.</h2>
      ${why && html`<p class="failure" role="alert">${why}</p>`}
      <p class="choices">
        <button type="button" class="strong" ref=${button} onClick=${() => logIn()}>Log in</button>
        ${why && html`<button type="button" class="plain" onClick=${() => logIn('login')}>Use another account</button>`}
      </p>
      <p class="hint">You log in at <b>${issuer}</b> and come back here.</p>
    </section>
  `;
}

/** What the user has written and sees stays, and is here again after the log-in. */
export function LogInNotice() {
  const { isOver, why, endsAt } = account.value ?? {};
  const when = isOver ? 'Your log-in has ended.' : `Your log-in ends at ${new Date(endsAt ?? 0).toLocaleTimeString([], { timeStyle: 'short' })}.`;
  return html`
    <p class="notice"><span><b>${when}</b> ${why} What you have written is kept.</span>
      <button type="button" class="strong" onClick=${() => logIn()}>Log in again</button></p>
  `;
}
