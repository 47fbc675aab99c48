// The log-in: who is logged in, for how long, and how it is renewed before it ends. Fetched where the server asks for one.
//
// Each tab keeps its own tokens in `sessionStorage`: a reload keeps them, and a duplicated or restored tab starts with a copy. A
// tab without any goes to the issuer and back by itself if somebody has logged in on this browser before. They are in no address
// and no log. Logging out ends every tab of the user: those that run at once, the others when they are opened again.
//
// Invariants: one renewal at a time; a token that the server has never accepted is not renewed, so that no two servers that
// disagree make the page ask for ever; what the user has written stays, whatever happens to the log-in.

import { effect } from './vendor/ui.mjs';
import { accepted, account, parsed, renewBy, token } from './api.js';
import { t } from './i18n.js';
import { Failure, issuerOf } from './issuer.js';
import { replacePanel } from './route.js';
import { forget, remember, remembered } from './storage.js';

/** @typedef {import('./issuer.js').Tokens & {issuer: string, clientId: string, isProven?: boolean}} LogIn */

const EARLY_MS_MAX = 300_000;
const RETRY_MS_MIN = 2000;
const RETRY_MS_MAX = 30_000;
const WAIT_MS_MIN = 1000;
const TIMER_MS_MAX = 86_400_000;
/** Another page may be about to let go of the refresh token: this one before a reload. */
const LOCK_MS_MAX = 1500;

const TOKENS = 'log-in';
const SENT = 'log-in:sent';
/** Somebody has logged in on this browser, and not out again. */
const BEFORE = 'logged-in';
/** When a user last logged out on this browser. @param {string} sub */
const leftAt = (sub) => `logged-out:${sub}`;

/** @type {import('./issuer.js').Config} */
let config;
/** @type {ReturnType<typeof issuerOf>} */
let issuer;
/** @type {LogIn | undefined} */
let tokens;
/** @type {Promise<boolean> | undefined} */
let renewing;
let failures = 0;
let renewAt = 0;
let timer = 0;
let endTimer = 0;
/** The log-in whose refresh token only this page uses. */
let held = '';
const otherTabs = new BroadcastChannel('framewright:log-out');

/** Takes an answer of the issuer or what is kept. Whether somebody is logged in. @param {import('./issuer.js').Config} given */
export async function arrive(given) {
  config = given;
  issuer = issuerOf(given);
  renewBy(renewed);
  otherTabs.onmessage = ({ data }) => data === tokens?.sub && leave();
  addEventListener('online', again);
  document.addEventListener('visibilitychange', again);
  const answer = new URL(location.href);
  if (answer.searchParams.has('state') && (answer.searchParams.has('code') || answer.searchParams.has('error'))) return redeem(answer);
  if (stay('')) return true;
  try {
    if (tokens) return await replaced(tokens);
  } catch (error) {
    if (!(error instanceof Failure) || !error.isFinal) throw error;
  }
  if (!remembered(BEFORE)) return out('');
  await toIssuer('none');
  // The page is being left.
  return new Promise(() => {});
}

/** @param {URL} answer */
async function redeem(answer) {
  /** @type {(import('./issuer.js').Sent & {from: string, prompt: string}) | undefined} */
  const sent = parsed(remembered(SENT, 'tab') || 'null') ?? undefined;
  remember(SENT, '', 'tab');
  // It leaves the address before anything else happens.
  replacePanel(sent?.from ?? '/');
  if (!sent || sent.state !== answer.searchParams.get('state')) return stay('') || out(t('signIn.otherTab'));
  try {
    const fresh = await issuer.redeem(answer, sent);
    // Only a clock that was set back makes a new log-in older than that.
    if (isLoggedOut(fresh)) remember(leftAt(fresh.sub), '');
    take(fresh);
    remember(BEFORE, '1');
    return true;
  } catch (error) {
    // Nobody has asked for this one.
    const why = sent.prompt === 'none' && wantsUser(error) ? '' : sentence(error);
    return stay(why) || out(why);
  }
}

/** Whoever turns back at the issuer is still in for as long as they were. @param {string} why */
function stay(why) {
  tokens = kept();
  if (!tokens || Date.now() >= tokens.endsAt) return false;
  show();
  if (why) say(why);
  return true;
}

/** Goes to the issuer, and comes back to where the user is. The page itself goes: no browser blocks that, as they do popups.
 * @param {import('./issuer.js').Prompt} [prompt] */
export async function logIn(prompt = '') {
  try {
    await toIssuer(prompt);
  } catch (error) {
    say(sentence(error));
  }
}

/** @param {import('./issuer.js').Prompt} prompt */
async function toIssuer(prompt) {
  const { url, sent } = await issuer.begin(prompt);
  const written = JSON.stringify({ ...sent, prompt, from: location.pathname + location.search + location.hash });
  remember(SENT, written, 'tab');
  if (remembered(SENT, 'tab') !== written) throw new Failure(t('signIn.storage'));
  // Once is enough.
  if (prompt === 'none') remember(BEFORE, '');
  location.assign(url);
}

/** Here, in the other tabs of this browser and, where it offers that, at the issuer. */
export async function logOut() {
  const left = tokens;
  if (!left) return;
  remember(leftAt(left.sub), String(Date.now()));
  otherTabs.postMessage(left.sub);
  forgetUser();
  const [goodbye] = await Promise.all([issuer.farewell().catch(() => undefined), revoke(left)]);
  location.assign(goodbye ?? '/');
}

/** The user has logged out in another tab. */
async function leave() {
  const left = tokens;
  if (!left) return;
  forgetUser();
  await revoke(left);
  location.assign('/');
}

/** @param {import('./issuer.js').Tokens} left */
function revoke(left) {
  return issuer.revoke(left).catch(() => undefined);
}

/** Whether its user has logged out since. @param {import('./issuer.js').Tokens} logIn */
function isLoggedOut({ sub, startedAt }) {
  return startedAt <= Number(remembered(leftAt(sub)));
}

/** Forgets who is logged in, and what they have written. */
function forgetUser() {
  for (const what of ['draft', 'pending', 'list', 'places', 'deleting']) forget(`${what}:${tokens?.sub}:`);
  remember(BEFORE, '');
  out('');
}

/** Shows the log-in. @param {string} why */
function out(why) {
  clearTimeout(timer);
  clearTimeout(endTimer);
  tokens = undefined;
  remember(TOKENS, '', 'tab');
  token.value = '';
  account.value = { sub: '', name: '', email: '', issuer: issuer.host, endsAt: 0, why, isOver: true };
  return false;
}

/** @returns {LogIn | undefined} */
function kept() {
  /** @type {LogIn | null} */
  const found = parsed(remembered(TOKENS, 'tab') || 'null');
  if (found?.issuer !== config.issuer || found.clientId !== config.clientId) return undefined;
  if (!isLoggedOut(found)) return found;
  // This tab was not running then.
  forget(`pending:${found.sub}:`);
  remember(TOKENS, '', 'tab');
  revoke(found);
  return undefined;
}

/** @param {import('./issuer.js').Tokens} fresh */
function take(fresh) {
  // A refreshed log-in carries the old one's fields, and the server has not seen the new token.
  tokens = { ...fresh, isProven: false, issuer: config.issuer, clientId: config.clientId ?? '' };
  failures = 0;
  keep();
  show();
}

function keep() {
  remember(TOKENS, JSON.stringify(tokens), 'tab');
}

function show() {
  if (!tokens) return;
  const { access, sub, name, email, endsAt, startedAt } = tokens;
  account.value = { sub, name, email, issuer: issuer.host, endsAt, why: '', isOver: false };
  token.value = access;
  renewAt = endsAt - Math.min(EARLY_MS_MAX, (endsAt - startedAt) / 3);
  clearTimeout(endTimer);
  wait(renewAt - Date.now());
}

/** @param {number} ms */
function wait(ms) {
  clearTimeout(timer);
  timer = setTimeout(renewEarly, Math.min(TIMER_MS_MAX, Math.max(WAIT_MS_MIN, ms)));
}

function renewEarly() {
  if (Date.now() < renewAt) wait(renewAt - Date.now());
  else renew();
}

/** The network is back, or the user is, who may have logged in in another tab. */
function again() {
  if (tokens && isLoggedOut(tokens)) leave();
  else if (failures > 0 && document.visibilityState === 'visible') renew();
}

/** What calls and sockets ask when the server refuses their token. @param {string} refused @param {string} why */
async function renewed(refused, why) {
  if (token.value && token.value !== refused) return true;
  if (!tokens || account.value?.isOver) return false;
  if (!tokens.isProven && why && Date.now() < tokens.endsAt) {
    // Perhaps the issuer's keys have just changed and the server hasn't seen the new ones: the page goes on trying.
    say(t('signIn.refused', { why: why.replace(/\.$/, '') }));
    return false;
  }
  if (await renew()) return true;
  // It counts no longer, whatever this machine's clock says.
  if (account.value?.why) end();
  return false;
}

/** Once for all who ask meanwhile. Whether there is a newer token. */
function renew() {
  renewing ??= attempt().finally(() => (renewing = undefined));
  return renewing;
}

async function attempt() {
  const old = tokens;
  if (!old) return false;
  try {
    return await replaced(old);
  } catch (error) {
    if (tokens !== old) return false;
    failures += 1;
    const isFinal = error instanceof Failure && error.isFinal;
    const left = old.endsAt - Date.now();
    // One failure may be chance, as long as there is time for another try.
    if (isFinal || failures > 1 || left < 2 * RETRY_MS_MIN) say(sentence(error));
    if (!isFinal) wait(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1)));
    clearTimeout(endTimer);
    endTimer = setTimeout(end, Math.max(0, left));
    return false;
  }
}

/** Takes a newer log-in, unless the user logs out meanwhile. @param {LogIn} old */
async function replaced(old) {
  const fresh = await fetched(old);
  if (tokens === old && !isLoggedOut(old)) {
    take(fresh);
    return true;
  }
  revoke(fresh);
  leave();
  return false;
}

/** @param {LogIn} old @returns {Promise<import('./issuer.js').Tokens>} */
async function fetched(old) {
  if (old.refresh && (await isOurs(old.family))) {
    try {
      return await issuer.refresh(old);
    } catch (error) {
      if (!(error instanceof Failure) || !error.isFinal) throw error;
      // The issuer may still know the user.
      old.refresh = '';
      keep();
    }
  }
  return issuer.renewInFrame(old);
}

/** A refresh token counts once. A tab that was duplicated has a copy of the other's, and must not use it up. @param {string} family */
function isOurs(family) {
  if (held === family || !navigator.locks) return true;
  return new Promise((resolve) => {
    const hold = () => {
      held = family;
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(`framewright:${family}`, { signal: AbortSignal.timeout(LOCK_MS_MAX) }, hold).catch(() => resolve(false));
  });
}

/** @param {string} why */
function say(why) {
  if (account.value) account.value = { ...account.value, why };
}

function end() {
  if (account.value && tokens) account.value = { ...account.value, isOver: true };
}

effect(() => {
  const last = accepted.value;
  if (!tokens || last !== tokens.access || tokens.isProven) return;
  tokens.isProven = true;
  keep();
  // What the server has refused for a while, it takes now.
  if (failures === 0) say('');
});

/** @param {unknown} error */
function wantsUser(error) {
  return error instanceof Failure && error.wantsUser;
}

/** @param {unknown} error */
function sentence(error) {
  return error instanceof Error ? error.message : String(error);
}
