// The server's HTTP interface. Every address carries the page's session; every refusal becomes an error with its
// sentence.

import { headers, parameters } from './auth.js';

/** The session that the page's own address names; the server's `default` without. */
export const session = new URLSearchParams(location.search).get('session') ?? '';

/** How long each try may take. A network that swallows everything must not keep the page waiting, and a connection that
 * died in silence is given up with its first try: the next one goes over another. */
const TRIES_MS_MAX = [2000, 4000, 8000];

/** What the server refused: its sentence, and its status. */
export class Refusal extends Error {
  /** @param {number} status @param {string} [detail] */
  constructor(status, detail) {
    super(detail ?? `The server answered with status ${status}.`);
    this.status = status;
  }
}

/** @param {string} path @param {Record<string, string | number>} [query] */
export async function read(path, query = {}) {
  return again(address(path, query), { headers: headers() });
}

/** An event stream, from behind the event with this id. @param {string} path @param {string} lastId @param {AbortSignal} signal */
export async function stream(path, lastId, signal) {
  const all = headers();
  if (lastId) all['last-event-id'] = lastId;
  const response = await fetch(address(path, {}), { headers: all, signal });
  if (!response.ok) throw new Refusal(response.status);
  return response;
}

/** @param {string} path @param {object} body */
export async function post(path, body = {}) {
  return once(address(path, {}), posting(body), TRIES_MS_MAX[2]);
}

/** A call that changes nothing, so that it can be tried again. @param {string} path */
export async function check(path) {
  return again(address(path, {}), posting({}));
}

/** @param {object} body @returns {RequestInit} */
function posting(body) {
  return { method: 'POST', headers: { ...headers(), 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** @param {URL} url @param {RequestInit} request */
async function again(url, request) {
  for (const most of TRIES_MS_MAX) {
    try {
      return await once(url, request, most);
    } catch (error) {
      if (!isLate(error)) throw error;
    }
  }
  throw new Error('The server did not answer in time.');
}

/** @param {URL} url @param {RequestInit} request @param {number} most milliseconds, for the answer's last byte */
async function once(url, request, most) {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(most) });
  const body = await response.json().catch((error) => {
    // A refusal counts without its sentence; anything else that comes in part has not come.
    if (response.ok) throw isLate(error) ? error : new Error('The answer broke off.');
    return {};
  });
  if (!response.ok) throw new Refusal(response.status, body.detail);
  return body;
}

/** @param {any} error */
function isLate({ name }) {
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
