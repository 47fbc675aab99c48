// A certified issuer on this machine, `oidc-provider`, with the paths and claims of Zitadel. It can misbehave: be down, answer with
// no keys or far too many bytes, have a wrong clock, and replace its keys without notice.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import Provider from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

export const CLIENT = '248612345678901234';
export const PROJECT = '248698765432109876';
export const OTHER_CLIENT = '248600000000000001';
const REDIRECT = 'http://127.0.0.1/callback';
const ROUTES = {
  authorization: '/oauth/v2/authorize',
  token: '/oauth/v2/token',
  jwks: '/oauth/v2/keys',
  userinfo: '/oidc/v1/userinfo',
  introspection: '/oauth/v2/introspect',
  revocation: '/oauth/v2/revoke',
  end_session: '/oidc/v1/end_session',
  device_authorization: '/oauth/v2/device_authorization',
};
const ROLES = 'urn:zitadel:iam:org:project:roles';
const KINDS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};
const clientOf = (id, pages) => ({
  client_id: id,
  redirect_uris: [REDIRECT, ...pages.map((page) => `${page}/`)],
  post_logout_redirect_uris: pages.map((page) => `${page}/`),
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
});

export class Issuer {
  /** @param {{algorithm?: string, skew?: number, ttl?: number, roles?: Record<string, string[]>, refreshes?: boolean, isOpaque?: boolean, isTerse?: boolean, tls?: {key: string, cert: string}, dateSkew?: number}} options
   * `skew`: seconds that its clock is ahead; `ttl`: seconds that a token lives; `roles`: of each user; `refreshes`: whether it gives
   * refresh tokens; `isOpaque`: whether the page's tokens are, as in Zitadel until that is changed; `isTerse`: whether its ID tokens
   * leave the name to userinfo; `dateSkew`: seconds that its `Date` is ahead */
  constructor({ algorithm = 'RS256', skew = 0, ttl = 3600, roles = {}, refreshes = false, isOpaque = false, isTerse = false, tls = undefined, dateSkew = 0 } = {}) {
    Object.assign(this, { algorithm, skew, ttl, roles, refreshes, isOpaque, isTerse, tls, dateSkew, mode: 'good', fetches: 0, keys: [makeKey(algorithm)] });
    /** What it has given out, which outlives its keys. */
    this.adapter = createMemoryAdapter();
    /** The addresses that pages come from. @type {string[]} */
    this.pages = [];
    /** Why it lets nobody in, where it doesn't. */
    this.denies = '';
    /** What it does to the addresses that it redirects to. @type {((address: string) => string) | undefined} */
    this.tampers = undefined;
    /** The keys that it shows in place of its own, as text. @type {string | undefined} */
    this.shownKeys = undefined;
    /** Whether it takes back all that it has given. */
    this.isStrict = false;
    /** The requests of pages, in a word each. @type {string[]} */
    this.seen = [];
  }

  async open() {
    const answer = (request, response) => this.answer(request, response);
    this.front = this.tls ? createSecureServer(this.tls, answer) : createServer(answer);
    await new Promise((resolve) => this.front.listen(0, '127.0.0.1', resolve));
    this.url = `http${this.tls ? 's' : ''}://127.0.0.1:${this.front.address().port}`;
    this.provide();
    return this;
  }

  async close() {
    this.front.closeAllConnections();
    await new Promise((resolve) => this.front.close(resolve));
  }

  /** Signs with a new key from now on. @param {{keep?: boolean, algorithm?: string}} options `keep`: the old ones stay published */
  rotate({ keep = true, algorithm = this.algorithm } = {}) {
    this.algorithm = algorithm;
    this.keys = [makeKey(algorithm), ...(keep ? this.keys : [])];
    this.provide();
  }

  /** Lets a page log in from this address. @param {string} page */
  allow(page) {
    this.pages.push(page);
    this.provide();
  }

  /** What stands between the server and the issuer. */
  answer(request, response) {
    if (this.dateSkew) response.setHeader('date', new Date(Date.now() + this.dateSkew * 1000).toUTCString());
    const [path, query = ''] = request.url.split('?');
    if (this.mode === 'away') return void request.socket.destroy();
    if (this.tampers) {
      const set = response.setHeader.bind(response);
      response.setHeader = (name, value) => set(name, name.toLowerCase() === 'location' ? this.tampers(value) : value);
    }
    if (this.answerPage(request, response, path, new URLSearchParams(query))) return;
    const isKeys = path === ROUTES.jwks;
    if (isKeys) this.fetches += 1;
    if (isKeys || path.startsWith('/.well-known/')) {
      if (this.mode === 'down') return void request.socket.destroy();
      if (this.mode === 'busy') return void response.writeHead(503).end('busy');
    }
    if (isKeys && this.mode === 'silent') return;
    if (isKeys && this.mode !== 'good') {
      const bodies = { empty: '{"keys":[]}', html: '<html>', huge: `{"keys":[]${' '.repeat(4 << 20)}}` };
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(bodies[this.mode]);
    }
    if (isKeys && this.shownKeys) return void response.writeHead(200, { 'content-type': 'application/json' }).end(this.shownKeys);
    this.provider.callback()(request, response);
  }

  /** Whether a page's request is answered here. */
  answerPage(request, response, path, query) {
    const json = { 'content-type': 'application/json', 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization' };
    const { authorization = '' } = request.headers;
    if (path === ROUTES.authorization) this.seen.push(`authorize ${query.get('prompt') ?? ''}`.trim());
    if (path === ROUTES.token && request.method === 'POST') this.seen.push('token');
    if (path === ROUTES.revocation && request.method === 'POST') this.seen.push('revoke');
    if (path === ROUTES.token && this.isStrict) response.writeHead(400, json).end('{"error":"invalid_grant"}');
    else if (path.startsWith('/interaction/') && request.method === 'POST' && this.denies) {
      this.provider.interactionFinished(request, response, { error: 'access_denied', error_description: this.denies });
    } else if (path === ROUTES.userinfo && (request.method === 'OPTIONS' || authorization.split('.').length === 3)) {
      // The certified one takes no token that is meant for another; Zitadel does.
      const { sub } = JSON.parse(Buffer.from(authorization.split('.')[1] ?? 'e30', 'base64url').toString());
      response.writeHead(200, json).end(JSON.stringify(sub ? claimsOf(sub) : {}));
    } else return false;
    return true;
  }

  provide() {
    const { roles } = this;
    const resource = `urn:zitadel:iam:org:project:id:${PROJECT}:aud`;
    const configuration = {
      adapter: this.adapter,
      routes: ROUTES,
      clients: [clientOf(CLIENT, this.pages), clientOf(OTHER_CLIENT, [])],
      clientBasedCORS: (_ctx, origin) => this.pages.includes(origin),
      issueRefreshToken: (_ctx, client) => this.refreshes && client.grantTypeAllowed('refresh_token'),
      jwks: { keys: this.keys },
      cookies: { keys: ['a secret of the tests'] },
      clientDefaults: { id_token_signed_response_alg: this.algorithm },
      enabledJWA: { idTokenSigningAlgValues: Object.keys(KINDS) },
      conformIdTokenClaims: true,
      claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'] },
      features: {
        userinfo: { enabled: true },
        revocation: { enabled: true },
        resourceIndicators: {
          enabled: true,
          // Zitadel knows it by the scope.
          defaultResource: (ctx) => (!this.isOpaque && ctx.oidc.params.scope?.split(' ').includes(resource) ? resource : undefined),
          useGrantedResource: () => true,
          getResourceServerInfo: (_ctx, resource) => ({
            scope: 'chat',
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: this.ttl,
            jwt: { sign: { alg: this.algorithm } },
          }),
        },
      },
      formats: {
        customizers: {
          jwt: (_ctx, token, parts) => {
            // As Zitadel has it: all clients of the project, and the project itself.
            parts.header = { ...parts.header, typ: 'JWT' };
            parts.payload.aud = [token.clientId, PROJECT].filter((audience) => token.clientId === CLIENT || audience !== PROJECT);
            for (const claim of ['iat', 'exp', 'nbf']) if (parts.payload[claim]) parts.payload[claim] += this.skew;
            parts.payload.nbf ??= parts.payload.iat;
            const own = roles[token.accountId];
            if (own) parts.payload[ROLES] = Object.fromEntries(own.map((role) => [role, { 2486: 'acme.example' }]));
          },
        },
      },
      ttl: { AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 3600, IdToken: 3600, Interaction: 3600, Session: 3600, Grant: 3600, RefreshToken: 3600 },
      findAccount: (_ctx, id) => ({
        accountId: id,
        claims: (use) => (this.isTerse && use === 'id_token' ? { sub: id } : claimsOf(id)),
      }),
    };
    this.provider = new Provider(this.url, configuration);
  }

  /** The page's way: authorization code with PKCE. With a `resource` the access token is a JWT, else it is opaque.
   * @returns {Promise<{access_token: string, id_token: string, expires_in: number}>} */
  async signIn(login, { resource = `urn:zitadel:iam:org:project:id:${PROJECT}:aud`, client = CLIENT, scope = 'openid profile email', refuse = false } = {}) {
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const query = { client_id: client, redirect_uri: REDIRECT, response_type: 'code', scope, code_challenge: challenge, code_challenge_method: 'S256' };
    const start = new URLSearchParams(resource ? { ...query, resource, scope: `${scope} chat` } : query);
    const jar = new Map();
    let next = `${this.url}${ROUTES.authorization}?${start}`;
    for (let step = 0; step < 10; step += 1) {
      let answer = await this.visit(jar, next);
      if (answer.status === 200) {
        const isLogin = (await answer.text()).includes('value="login"');
        if (refuse) answer = await this.visit(jar, `${next}/abort`);
        else answer = await this.visit(jar, next, isLogin ? { prompt: 'login', login, password: 'x' } : { prompt: 'consent' });
      }
      next = new URL(answer.headers.get('location') ?? '', next).href;
      if (next.startsWith(REDIRECT)) break;
    }
    const back = new URL(next).searchParams;
    if (!back.get('code')) throw new Error(back.get('error') ?? `no code came back: ${next}`);
    const grant = { grant_type: 'authorization_code', client_id: client, redirect_uri: REDIRECT, code: back.get('code'), code_verifier: verifier };
    const body = new URLSearchParams(resource ? { ...grant, resource } : grant);
    const answer = await fetch(`${this.url}${ROUTES.token}`, { method: 'POST', body });
    const tokens = await answer.json();
    if (!answer.ok) throw new Error(JSON.stringify(tokens));
    return tokens;
  }

  async visit(jar, url, form) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const options = form ? { method: 'POST', body: new URLSearchParams(form) } : {};
    const answer = await fetch(url, { ...options, redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [name, ...value] = line.split(';')[0].split('=');
      jar.set(name, value.join('='));
    }
    return answer;
  }
}

function claimsOf(id) {
  return { sub: id, name: `${id[0].toUpperCase()}${id.slice(1)} Lovelace`, preferred_username: `${id}@acme`, email: `${id}@acme.example` };
}

let made = 0;

function makeKey(algorithm) {
  const [kind, options] = KINDS[algorithm];
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), kid: `key-${(made += 1)}`, use: 'sig', alg: algorithm };
}
