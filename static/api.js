// The server's HTTP interface. Every address carries the page's session; every refusal becomes an error with its sentence.

import { headers, parameters } from './auth.js';

/** The session that the page's own address names; the server's `default` without. */
export const session = new URLSearchParams(location.search).get('session') ?? '';

/** @param {string} path @param {Record<string, string | number>} [query] */
export async function read(path, query = {}) {
  return answer(await fetch(address(path, query), { headers: headers() }));
}

/** @param {string} path @param {object} body */
export async function post(path, body = {}) {
  const request = { method: 'POST', headers: { ...headers(), 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return answer(await fetch(address(path, {}), request));
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

/** @param {Response} response */
async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail ?? `The server answered with status ${response.status}.`);
  return body;
}
