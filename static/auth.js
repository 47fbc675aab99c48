// Who is asking. The one place that knows about logging in: everything else asks it for headers and parameters.
//
// Auth comes later; until then `/auth/config` says `enabled: false` and both are empty.

/** @type {string | null} */
const token = null;

/** What an HTTP request carries. @returns {Record<string, string>} */
export function headers() {
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** What a socket's address carries, which can have no headers. @returns {Record<string, string>} */
export function parameters() {
  return token ? { token } : {};
}

/** Logs in where the server asks for it. @param {{enabled: boolean}} config its `/auth/config` */
export function login(config) {
  if (config.enabled) throw new Error('This server asks for a login, which this page does not support yet.');
}
