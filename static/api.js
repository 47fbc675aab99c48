// The server's HTTP interface. Every address carries the page's session; every refusal becomes an error with its code and
// sentence. And who is asking: the login comes later; until then `/auth/config` says `enabled: false`.

/** @type {string | null} */
const token = null;

/** What an HTTP request carries. @returns {Record<string, string>} */
function headers() {
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** What a socket's address carries, which can have no headers. @returns {Record<string, string>} */
function parameters() {
  return token ? { token } : {};
}

/** Logs in where the server asks for it. @param {{enabled: boolean}} config its `/auth/config` */
export function login(config) {
  if (config.enabled) throw new Error('This server asks for a login, which this page does not support yet.');
}

/** The session that the page's own address names; the server's `default` without. */
export const session = new URLSearchParams(location.search).get('session') ?? '';

/** Timeouts of the tries of a call that can be repeated. A connection that died in silence fails the first one; the next uses another. */
const TRIES_MS_MAX = [2000, 4000, 8000];

/** The server refused something: the HTTP status, the stable code and the sentence for the user. */
export class Refusal extends Error {
  /** @param {number} status @param {{detail?: string, code?: string}} [body] */
  constructor(status, { detail, code } = {}) {
    super(detail ?? `The server answered with status ${status}.`);
    this.status = status;
    this.code = code ?? '';
  }
}

/** @param {string} path @param {Record<string, string | number>} [query] */
export function read(path, query = {}) {
  return repeated(address(path, query), { headers: headers() });
}

/** Posts what counts once however often it is sent. @param {string} path @param {object} body */
export function postRepeatable(path, body) {
  return repeated(address(path, {}), posting(body));
}

/** @param {string} path @param {object} body */
export function post(path, body) {
  return call(address(path, {}), posting(body), TRIES_MS_MAX[2]);
}

/** @param {object} body @returns {RequestInit} */
function posting(body) {
  return { method: 'POST', headers: { ...headers(), 'content-type': 'application/json' }, body: written(body) };
}

/** Tries again when no answer comes in time. @param {URL} url @param {RequestInit} request */
async function repeated(url, request) {
  for (const timeout of TRIES_MS_MAX) {
    try {
      return await call(url, request, timeout);
    } catch (error) {
      if (!isTimeout(error)) throw error;
    }
  }
  throw new Error('The server did not answer in time.');
}

/** Opens the event stream behind the event `since`. @param {number} since @param {AbortSignal} signal */
export async function eventStream(since, signal) {
  const response = await fetch(address('/api/events', {}), { headers: { ...headers(), 'last-event-id': String(since) }, signal });
  if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})));
  return response.body ?? new ReadableStream();
}

/** @param {URL} url @param {RequestInit} request @param {number} timeout milliseconds until the answer's last byte */
async function call(url, request, timeout) {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(timeout) });
  const body = await response.text().then(parsed).catch((error) => {
    // A refusal counts without its sentence; any other answer counts only when it is complete.
    if (response.ok) throw isTimeout(error) ? error : new Error('The answer broke off.');
    return {};
  });
  if (!response.ok) throw new Refusal(response.status, body);
  return body;
}

/** @param {any} error */
function isTimeout({ name }) {
  return name === 'TimeoutError';
}

/** @param {string} path @param {Record<string, string | number>} query */
export function socketAddress(path, query) {
  const url = address(path, { ...query, ...parameters() });
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

/** @param {string} path @param {Record<string, string | number>} query */
function address(path, query) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  if (session) url.searchParams.set('session', session);
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
