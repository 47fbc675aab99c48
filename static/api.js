// The server's HTTP interface. Every address carries the page's session, every request the log-in where there is one; every
// refusal becomes an error with its code and sentence. Who logs in is a matter of `sign-in.js`.

import { signal } from './vendor/ui.mjs';
import { language, t } from './i18n.js';

/** The session that the page's own address names; the server's `default` without. */
export let session = '';
/** Whether anyone may enter it: nobody logs in here. */
export let isShared = true;
/** @param {string} name @param {boolean} shared */
export function enter(name, shared) {
  session = name;
  isShared = shared;
}

/** Who is logged in. `why`: what is wrong with the log-in, in a sentence; `isOver`: it counts no longer.
 * @typedef {{sub: string, name: string, email: string, issuer: string, endsAt: number, why: string, isOver: boolean}} Account */
/** None where nobody logs in. @type {import('./vendor/ui.mjs').Signal<Account | undefined>} */
export const account = signal(undefined);
/** What requests carry; empty where nobody has logged in. */
export const token = signal('');
/** The last token that the server has accepted. */
export const accepted = signal('');
/** How far the server's clock is ahead of this machine's, in milliseconds, give or take a second. */
export let serverAhead = 0;

/** Whether there is a newer token than one that the server refuses, with `why`. @type {(refused: string, why: string) => Promise<boolean>} */
let renew = async () => false;
/** @param {typeof renew} way */
export function renewBy(way) {
  renew = way;
}
export const renewed = (/** @type {string} */ refused, /** @type {string} */ why) => renew(refused, why);

/** A name that nobody guesses, in the alphabet of sessions and client ids: 96 random bits. `crypto.randomUUID` exists only over HTTPS. */
export function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => ALPHABET[byte & 63]).join('');
}
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Timeouts of the tries of a call that can be repeated. A connection that died in silence fails the first one; the next uses another. */
const TRIES_MS_MAX = [2000, 4000, 8000];
const LONG_MS_MAX = 60_000;

/** The server refused something: the HTTP status, the stable code and the sentence for the user. */
export class Refusal extends Error {
  /** @param {number} status @param {{detail?: string, code?: string}} [body] @param {string | null} [after] its `Retry-After` */
  constructor(status, { detail, code } = {}, after) {
    super(sentenceOf(code ?? '', detail) ?? t('api.status', { status: String(status) }));
    this.status = status;
    this.code = code ?? '';
    /** How long it says to wait. */
    this.waitMs = 1000 * (Number(after) || 0);
  }
}

/** The server writes English. For the codes that users meet there are sentences in their language.
 * @param {string} code @param {string | undefined} detail */
function sentenceOf(code, detail) {
  const key = /** @type {import('./i18n.js').Key} */ (`refusal.${code}`);
  const text = language.peek() === 'en' ? key : t(key);
  return text === key ? detail : text;
}

/** A `session` in a query names another than the page's own.
 * @param {string} path @param {Record<string, string | number>} [query] */
export function read(path, query = {}) {
  return repeated(address(path, query), {});
}

/** The events of a turn that has ended, as far as the server keeps them. @param {string} turn @returns {Promise<any[]>} */
export function readEvents(turn) {
  return repeated(address('/api/events', { turn }), {}, (text) => text.split('\n').flatMap((line) => (line.startsWith('data:') ? [parsed(line.slice(5))] : [])));
}

/** Reads what is no JSON. @param {string} path @param {Record<string, string | number>} query @returns {Promise<string>} */
export function readText(path, query) {
  return call(address(path, query), {}, LONG_MS_MAX, String);
}

/** Posts what counts once however often it is sent. @param {string} path @param {object} body @param {Record<string, string>} [query] */
export function postRepeatable(path, body, query = {}) {
  return repeated(address(path, query), posting(body));
}

/** @param {string} path @param {object} body */
export function post(path, body) {
  return call(address(path, {}), posting(body), TRIES_MS_MAX[2]);
}

/** @param {object} body @returns {RequestInit} */
function posting(body) {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: written(body) };
}

/** Tries again when no answer comes in time. @param {URL} url @param {RequestInit} request @param {(text: string) => any} [parse] */
async function repeated(url, request, parse) {
  for (const timeout of TRIES_MS_MAX) {
    try {
      return await call(url, request, timeout, parse);
    } catch (error) {
      if (!isTimeout(error)) throw error;
    }
  }
  throw new Error(t('api.late'));
}

/** Opens the event stream behind the event `since`. @param {number} since @param {AbortSignal} signal */
export async function eventStream(since, signal) {
  const response = await authorized(address('/api/events', {}), { headers: { 'last-event-id': String(since) }, signal });
  if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})), response.headers.get('retry-after'));
  return response.body ?? new ReadableStream();
}

/** Sends the log-in along. Where it counts no longer, it is renewed, and the request is sent once more.
 * @param {URL} url @param {RequestInit} request @param {boolean} [isSecond] @returns {Promise<Response>} */
async function authorized(url, request, isSecond) {
  const used = token.peek();
  const headers = used && { authorization: `Bearer ${used}` };
  const response = await fetch(url, { ...request, headers: { ...request.headers, ...headers } });
  // Some paths are open to everyone, whatever they bring along.
  if (used && response.ok && url.pathname.startsWith('/api/')) accepted.value = used;
  if (response.status !== 401) return response;
  const { detail = '' } = await response.clone().json().catch(() => ({}));
  return !isSecond && used && (await renew(used, detail)) ? authorized(url, request, true) : response;
}

/** @param {URL} url @param {RequestInit} request @param {number} timeout milliseconds until the answer's last byte
 * @param {(text: string) => any} [meaning] of an answer that is no refusal */
async function call(url, request, timeout, meaning = parsed) {
  const response = await authorized(url, { ...request, signal: AbortSignal.timeout(timeout) });
  const body = await response.text().then(response.ok ? meaning : parsed).catch((error) => {
    // A refusal counts without its sentence; any other answer counts only when it is complete.
    if (response.ok) throw isTimeout(error) ? error : new Error(t('api.broken'));
    return {};
  });
  if (!response.ok) throw new Refusal(response.status, body, response.headers.get('retry-after'));
  serverAhead = (Date.parse(response.headers.get('date') ?? '') || Date.now()) - Date.now();
  return body;
}

/** @param {any} error */
function isTimeout({ name }) {
  return name === 'TimeoutError';
}

/** @param {string} path @param {Record<string, string | number>} query */
export function socketAddress(path, query) {
  const url = address(path, query);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

/** @param {string} path @param {Record<string, string | number>} query */
function address(path, query) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  // A query may name another session, or with an empty name none.
  const named = url.searchParams.get('session') ?? session;
  if (named) url.searchParams.set('session', named);
  else url.searchParams.delete('session');
  return url;
}

/** JSON with every integer as it is written: one that a number can't hold becomes a `BigInt`, or is marked where the browser
 * doesn't show what was written. @param {string} text */
export function parsed(text) {
  return /9\d{15}|\d{17}/.test(text) ? JSON.parse(text, exact) : JSON.parse(text);
}

/** @type {any} */
const exact = (/** @type {string} */ _name, /** @type {unknown} */ value, /** @type {{source: string} | undefined} */ written) => {
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  if (!written) return `≈${value}`;
  return /^-?\d+$/.test(written.source) ? BigInt(written.source) : value;
};

/** The way back. @param {unknown} value @param {number} [indent] */
export function written(value, indent) {
  return JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? /** @type {any} */ (JSON).rawJSON(String(one)) : one), indent);
}
