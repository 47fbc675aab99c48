// The issuer, in OpenID Connect: the authorization code flow with PKCE, and what keeps a log-in alive afterwards. The library
// checks what comes back (`state`, `iss`, `nonce`, audience, times); whatever goes wrong becomes a sentence that says what to do.
//
// A log-in is renewed with a refresh token where the issuer gives one. Else the issuer is asked in a hidden frame, which works
// while it remembers the user and the browser sends it its cookies there.

import * as oauth from './vendor/oauth.mjs';
import { newName, serverAhead } from './api.js';
import { t } from './i18n.js';

const REQUEST_MS_MAX = 10_000;
const FRAME_MS_MAX = 10_000;
const REVOKE_MS_MAX = 2000;
/** As much as the server tolerates. */
const TOLERANCE_S = 60;
/** What an issuer says where it would have to show the user something. */
const WANTS_USER = ['login_required', 'interaction_required', 'consent_required', 'account_selection_required'];

/** @typedef {{issuer: string, clientId: string | null, projectId: string | null}} Config  as `/auth/config` has it */
/** `none` shows nothing to the user, `login` asks for the password even if the issuer knows them. @typedef {'' | 'none' | 'login'} Prompt */
/** What was sent to the issuer, and has to fit its answer. @typedef {{state: string, nonce: string, verifier: string}} Sent */
/** `family`: the same for all that were renewed from one log-in. Times are of this machine's clock.
 * @typedef {{access: string, refresh: string, sub: string, name: string, email: string, startedAt: number, endsAt: number, family: string}} Tokens */

/** Why a log-in failed, in a sentence. `isFinal`: it doesn't pass by itself; `wantsUser`: the user has to log in. */
export class Failure extends Error {
  /** @param {string} sentence @param {{isFinal?: boolean, wantsUser?: boolean}} [more] */
  constructor(sentence, { isFinal = true, wantsUser = false } = {}) {
    super(sentence);
    this.isFinal = isFinal;
    this.wantsUser = wantsUser;
  }
}

/** @param {Config} config */
export function issuerOf({ issuer, clientId, projectId }) {
  const home = new URL(issuer);
  /** @type {Promise<oauth.AuthorizationServer> | undefined} */
  let discovery;
  // Has to be registered with the issuer, as it is.
  const redirect = `${location.origin}/`;
  const insecure = { [oauth.allowInsecureRequests]: home.protocol === 'http:' };
  const options = () => ({ ...insecure, signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  /** The library's clock is the server's, which decides what counts. @returns {oauth.Client} */
  const client = () => ({ client_id: clientId ?? '', [oauth.clockSkew]: Math.round(serverAhead / 1000), [oauth.clockTolerance]: TOLERANCE_S });

  async function discover() {
    if (!clientId) throw new Failure(t('issuer.noClient'));
    if (!crypto.subtle) throw new Failure(t('issuer.https'));
    const response = await oauth.discoveryRequest(home, options());
    // Some issuers end their name with a slash, which the server leaves out.
    const named = await response.clone().json().catch(() => ({}));
    const isSlashed = named.issuer === `${issuer}/`;
    const found = await oauth.processDiscoveryResponse(isSlashed ? new URL(named.issuer) : home, response);
    for (const endpoint of [found.token_endpoint, found.userinfo_endpoint, found.revocation_endpoint]) {
      if (endpoint && new URL(endpoint).origin !== home.origin) {
        throw new Failure(t('issuer.elsewhere', { other: new URL(endpoint).origin, home: home.origin }));
      }
    }
    return found;
  }

  /** What the issuer says of itself, read once. */
  function known() {
    discovery ??= discover().catch((error) => {
      discovery = undefined;
      throw error;
    });
    return discovery;
  }

  /** Does something with the issuer; what goes wrong becomes a `Failure`. @template T @param {(found: oauth.AuthorizationServer) => Promise<T>} act */
  async function attempt(act) {
    try {
      return await act(await known());
    } catch (error) {
      throw failure(error, home.host);
    }
  }

  /** @param {oauth.AuthorizationServer} found */
  function scope({ scopes_supported: supported }) {
    const wanted = ['profile', 'email', 'offline_access'].filter((name) => !supported || supported.includes(name));
    // With this Zitadel puts the project into the token's audience; others may refuse what they don't know.
    return ['openid', ...wanted, ...(projectId ? [`urn:zitadel:iam:org:project:id:${projectId}:aud`] : [])].join(' ');
  }

  /** Where to send the browser for a log-in. @param {Prompt} prompt @returns {Promise<{url: URL, sent: Sent}>} */
  const begin = (prompt) =>
    attempt(async (found) => {
      const sent = { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier: oauth.generateRandomCodeVerifier() };
      const url = new URL(found.authorization_endpoint ?? '');
      const query = {
        client_id: clientId ?? '', redirect_uri: redirect, response_type: 'code', scope: scope(found), state: sent.state, nonce: sent.nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(sent.verifier), code_challenge_method: 'S256', ...(prompt && { prompt }),
      };
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      return { url, sent };
    });

  /** Turns the issuer's answer into tokens. @param {URL} answer @param {Sent} sent @returns {Promise<Tokens>} */
  const redeem = (answer, { state, nonce, verifier }) =>
    attempt(async (found) => {
      const parameters = oauth.validateAuthResponse(found, client(), answer, state);
      const response = await oauth.authorizationCodeGrantRequest(found, client(), oauth.None(), parameters, redirect, verifier, options());
      const granted = await oauth.processAuthorizationCodeResponse(found, client(), response, { expectedNonce: nonce, requireIdToken: true });
      const { sub, ...claims } = /** @type {oauth.IDToken} */ (oauth.getValidatedIdTokenClaims(granted));
      const said = claims.name || claims.preferred_username ? claims : { ...claims, ...(await userinfo(found, granted.access_token, sub)) };
      const name = String(said.name || said.preferred_username || said.email || sub);
      return { ...measured(granted), refresh: granted.refresh_token ?? '', sub, name, email: String(said.email ?? ''), family: newName() };
    });

  /** The name where the ID token has none. Not knowing it is no error. @param {oauth.AuthorizationServer} found @param {string} access @param {string} sub */
  async function userinfo(found, access, sub) {
    try {
      return await oauth.processUserInfoResponse(found, client(), sub, await oauth.userInfoRequest(found, client(), access, options()));
    } catch {
      return {};
    }
  }

  /** Reads anew what the issuer says of itself: what it signs with may have changed, and a refresh token can't be sent twice. And
   * whether it can be reached at all can't be seen of a frame. */
  function afresh() {
    discovery = undefined;
  }

  /** @param {Tokens} tokens @returns {Promise<Tokens>} */
  function refresh(tokens) {
    afresh();
    return attempt(async (found) => {
      const response = await oauth.refreshTokenGrantRequest(found, client(), oauth.None(), tokens.refresh, options());
      const granted = await oauth.processRefreshTokenResponse(found, client(), response);
      const sub = oauth.getValidatedIdTokenClaims(granted)?.sub ?? tokens.sub;
      if (sub !== tokens.sub) throw new Failure(t('issuer.somebodyElse'));
      return { ...tokens, ...measured(granted), refresh: granted.refresh_token ?? tokens.refresh };
    });
  }

  /** Renews a log-in in a frame that nobody sees. @param {Tokens} tokens @returns {Promise<Tokens>} */
  async function renewInFrame(tokens) {
    afresh();
    const { url, sent } = await begin('none');
    const renewed = await redeem(await framed(url, sent.state), sent);
    if (renewed.sub !== tokens.sub) throw new Failure(t('issuer.somebodyElse'));
    return renewed;
  }

  /** Tells the issuer that the tokens are not needed any more, if it wants to know. @param {Tokens} tokens */
  async function revoke({ refresh: token, access }) {
    const found = await known();
    if (!found.revocation_endpoint) return;
    const brief = { ...insecure, signal: AbortSignal.timeout(REVOKE_MS_MAX) };
    await oauth.processRevocationResponse(await oauth.revocationRequest(found, client(), oauth.None(), token || access, brief));
  }

  /** Where the browser goes to be logged out there as well. An ID token as a hint would stand in the address. */
  async function farewell() {
    const { end_session_endpoint: end } = await known();
    if (!end) return undefined;
    const url = new URL(end);
    url.searchParams.set('client_id', clientId ?? '');
    url.searchParams.set('post_logout_redirect_uri', redirect);
    return url;
  }

  return { host: home.host, begin, redeem, refresh, renewInFrame, revoke, farewell };
}

/** An access token and when it ends: what the server will go by stands in the token itself. @param {oauth.TokenEndpointResponse} granted */
function measured({ access_token: access, expires_in: seconds }) {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(access)) throw new Failure(t('issuer.opaque'));
  const startedAt = Date.now();
  const { exp } = claimsOf(access);
  const ends = [seconds && startedAt + 1000 * seconds, exp && 1000 * exp - serverAhead];
  const endsAt = Math.min(...ends.map((end) => Number(end) || Infinity));
  if (endsAt <= startedAt) throw new Failure(t('issuer.clocks'));
  return { access, startedAt, endsAt };
}

/** @param {string} token @returns {{exp?: number}} */
function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    return {};
  }
}

/** Follows an address in a hidden frame until it leads back to this page; gives the address that it came back with.
 * @param {URL} url @param {string} state @returns {Promise<URL>} */
function framed(url, state) {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  return /** @type {Promise<URL>} */ (
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Failure(t('issuer.notRenewed'))), FRAME_MS_MAX);
      frame.onload = () => {
        const answer = addressOf(frame);
        if (answer?.searchParams.get('state') !== state) return;
        clearTimeout(timer);
        resolve(answer);
      };
      frame.src = url.href;
      document.body.append(frame);
    })
  ).finally(() => frame.remove());
}

/** None while it is at the issuer's, where no page may look. @param {HTMLIFrameElement} frame */
function addressOf(frame) {
  try {
    return new URL(frame.contentWindow?.location.href ?? '');
  } catch {
    return undefined;
  }
}

/** @param {unknown} error @param {string} host @returns {Failure} */
function failure(error, host) {
  if (error instanceof Failure) return error;
  if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
    return refusal(error.error, error.error_description, host);
  }
  if (error instanceof oauth.OperationProcessingError) return unfit(error, host);
  // The browser says no more than that a request failed.
  return new Failure(t('issuer.unreachable', { host, origin: location.origin }), { isFinal: false });
}

/** @param {string} code @param {string | undefined} detail @param {string} host */
function refusal(code, detail, host) {
  const said = detail ? `: ${detail.replace(/[.\s]+$/, '')}` : '';
  if (WANTS_USER.includes(code)) return new Failure(t('issuer.wantsUser'), { wantsUser: true });
  switch (code) {
    case 'access_denied':
      return new Failure(t('issuer.denied', { detail: said }));
    case 'invalid_grant':
      return new Failure(t('issuer.ended'), { wantsUser: true });
    case 'server_error':
    case 'temporarily_unavailable':
      return new Failure(t('issuer.problem', { host, detail: said }), { isFinal: false });
    default:
      return new Failure(t('issuer.refuses', { host, detail: code + said, address: `${location.origin}/` }));
  }
}

/** @param {oauth.OperationProcessingError} error @param {string} host */
function unfit({ code, message }, host) {
  switch (code) {
    case oauth.JWT_TIMESTAMP_CHECK:
      return new Failure(t('issuer.clocks'));
    case oauth.INVALID_RESPONSE:
    case oauth.JWT_CLAIM_COMPARISON:
      return new Failure(t('issuer.foreign', { detail: message }));
    case oauth.JSON_ATTRIBUTE_COMPARISON:
      return new Failure(t('issuer.name', { host }));
    default:
      // A status or a body that no issuer in good order sends.
      return new Failure(t('issuer.unfit', { host, detail: message }), { isFinal: false });
  }
}
