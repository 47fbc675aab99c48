// Sign-in as a deployment has it: the real server, a real issuer with the paths and claims of Zitadel, real tokens.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { CLIENT, Issuer, OTHER_CLIENT, PROJECT } from './issuer.mjs';
import { Server, becomes, run } from './server.mjs';

/** As long as the server lets pass between two fetches of keys that tokens ask for. */
const COOL_DOWN_MS = 2_100;
const flags = (issuer, ...more) => ['--oidc-issuer', issuer.url, '--oidc-client-id', CLIENT, '--oidc-project-id', PROJECT, ...more];

/** Plays a scene with an issuer and a server that trusts it. */
function scene(name, options, play) {
  test(name, { timeout: 120_000 }, async () => {
    const issuer = await new Issuer(options).open();
    const server = await Server.start(flags(issuer, '--admin-value', 'admin')).catch((error) => issuer.close().then(() => Promise.reject(error)));
    try {
      await play({ issuer, server });
    } finally {
      await server.stop();
      await issuer.close();
    }
  });
}

const token = async (issuer, login, options) => (await issuer.signIn(login, options)).access_token;

scene('a user signs in with code and PKCE and talks', {}, async ({ issuer, server }) => {
  assert.deepEqual((await server.call('/auth/config')).body, { enabled: true, issuer: issuer.url, clientId: CLIENT, projectId: PROJECT });
  assert.match(server.log, new RegExp(`auth: ${issuer.url}`));
  const ada = await token(issuer, 'ada');
  for (const path of ['/ws?token=' + ada, '/ws?session=b&token=' + ada, '/ws/trace?token=' + ada, '/ws/test?token=' + ada]) {
    const socket = server.socket(path);
    await socket.opened;
    if (path.startsWith('/ws?')) assert.ok((await socket.ask('hello')).length > 0);
    assert.match(await socket.close(), /^1005/);
  }
  const spoken = server.socket('/ws', ['bearer', ada]);
  await spoken.opened;
  assert.equal(spoken.socket.protocol, 'bearer');
  assert.ok((await spoken.ask('hello')).length > 0);
  const sent = await server.call('/api/send?session=c', { token: ada, body: { text: 'hello' } });
  assert.equal(sent.status, 200);
  const me = (await server.call('/api/me', { token: ada })).body;
  assert.deepEqual(me.sessions.map((session) => session.id), ['b', 'c', 'default'], 'from both shards');
  assert.equal(me.sub, 'ada');
});

scene('what does not count is refused with a code and a reason', {}, async ({ issuer, server }) => {
  const ada = await token(issuer, 'ada');
  const forged = ada.replace(/\.[^.]*\./, `.${Buffer.from(JSON.stringify({ sub: 'eve', iss: issuer.url, aud: PROJECT, exp: 4e9 })).toString('base64url')}.`);
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${ada.split('.')[1]}.`;
  for (const [what, bad, code, reason] of [
    ['nothing', undefined, 'missing_token', 'Missing token'],
    ['an opaque token', await token(issuer, 'ada', { resource: null }), 'opaque_token', 'Invalid token'],
    ['a token for another application', await token(issuer, 'ada', { client: OTHER_CLIENT }), 'invalid_token', 'Invalid token'],
    ['a forged token', forged, 'invalid_token', 'Invalid token'],
    ['an unsigned token', none, 'invalid_token', 'Invalid token'],
  ]) {
    const { status, code: said, body, headers } = await server.call('/api/state', { token: bad });
    assert.deepEqual([status, said, headers.get('www-authenticate')], [401, code, 'Bearer'], what);
    if (code === 'opaque_token') assert.match(body.detail, /Zitadel.*Auth Token Type to JWT/);
    for (const path of ['/ws', '/ws/trace', '/ws/test']) {
      const socket = server.socket(bad ? `${path}?token=${bad}` : path);
      await socket.opened;
      assert.equal(await socket.closed, `4001 ${reason}`, what);
    }
  }
  await assert.rejects(issuer.signIn('ada', { refuse: true }), /access_denied/);
  for (const path of ['/health', '/auth/config']) assert.equal(await server.status(undefined, path), 200);
  assert.ok(!server.log.includes(ada.slice(-20)), 'no token is logged');
});

scene('two users never see one another, on any shard', { roles: { root: ['admin'] } }, async ({ issuer, server }) => {
  const [ada, eve, root] = await Promise.all(['ada', 'eve', 'root'].map((login) => token(issuer, login)));
  const names = ['default', ...Array.from({ length: 8 }, (_, place) => `s${place}`)];
  for (const name of names) {
    assert.equal((await server.call(`/api/send?session=${name}`, { token: ada, body: { text: `hello, my name is pelican ${name}` } })).status, 200);
    await becomes(async () => (await server.call(`/api/result?session=${name}`, { token: ada })).body.status, 'done');
  }
  for (const name of names) {
    for (const path of ['history', 'state', 'frames', 'result', 'poll', 'trace?last=500', 'turn?id=msg_1', 'me', 'test/status']) {
      const answer = await server.call(`/api/${path}${path.includes('?') ? '&' : '?'}session=${name}`, { token: eve });
      assert.ok(!JSON.stringify(answer.body).includes('pelican'), `${path} of ${name}`);
      assert.equal((await server.call(`/api/${path}${path.includes('?') ? '&' : '?'}session=${name}&user=ada`, { token: eve })).code, 'missing_role');
    }
    const traced = await server.call(`/api/trace?last=500&session=${name}&user=ada`, { token: root });
    assert.ok(JSON.stringify(traced.body).includes('pelican'), 'an administrator reads it');
  }
  await server.call('/api/me/delete', { token: eve, body: {} });
  assert.equal((await server.call('/api/me', { token: ada })).body.sessions.length, names.length);
  const { status, sessions } = (await server.call('/api/me/delete', { token: ada, body: {} })).body;
  assert.deepEqual({ status, sessions }, { status: 'deleted', sessions: names.length });
  assert.deepEqual((await server.call('/api/me', { token: ada })).body.sessions, []);
  assert.deepEqual((await server.call('/api/history', { token: ada })).body.messages, []);
});

for (const [skew, ttl, expected] of [
  [45, 3600, undefined],
  [90, 3600, 'invalid_token'],
  [-3630, 3600, undefined],
  [-3690, 3600, 'token_expired'],
]) {
  scene(`an issuer whose clock is ${skew} s off is ${expected ? 'refused' : 'tolerated'}`, { skew, ttl }, async ({ issuer, server }) => {
    const answer = await server.call('/api/state', { token: await token(issuer, 'ada') });
    assert.equal(answer.code, expected);
    assert.equal(answer.status, expected ? 401 : 200);
  });
}

for (const algorithm of ['ES256', 'EdDSA', 'PS256']) {
  scene(`an issuer that signs with ${algorithm}`, { algorithm }, async ({ issuer, server }) => {
    assert.equal(await server.status(await token(issuer, 'ada')), 200);
  });
}

scene('keys rotate in the middle of a conversation', {}, async ({ issuer, server }) => {
  const before = await token(issuer, 'ada');
  const chat = server.socket(`/ws?token=${before}`);
  await chat.opened;
  await chat.ask('hello');
  const fetches = issuer.fetches;
  await pause(COOL_DOWN_MS);
  issuer.rotate({ algorithm: 'ES256' });
  const after = await token(issuer, 'ada');
  const [status, other] = await Promise.all([server.status(after), server.status(after, '/api/history')]);
  assert.deepEqual([status, other], [200, 200], 'both wait for the one fetch');
  assert.equal(issuer.fetches, fetches + 1);
  chat.say({ type: 'auth', token: after });
  assert.ok((await chat.ask('hello again')).length > 0, 'the conversation goes on');
  assert.equal(await server.status(before), 200, 'the old key is still published');
  // Tokens with keys that nobody knows bring about no more than one fetch a minute.
  issuer.rotate();
  const unknown = await token(issuer, 'ada');
  await pause(COOL_DOWN_MS);
  for (let count = 0; count < 20; count += 1) assert.equal(await server.status(unknown), 401);
  assert.equal(issuer.fetches, fetches + 1);
  assert.ok(chat.isOpen);
  await chat.close();
});

for (const mode of ['empty', 'huge', 'html', 'busy', 'down', 'silent']) {
  scene(`keys stay when the issuer is ${mode}`, {}, async ({ issuer, server }) => {
    const ada = await token(issuer, 'ada');
    assert.equal(await server.status(ada), 200);
    issuer.rotate({ keep: false });
    const after = await token(issuer, 'ada');
    issuer.mode = mode;
    await pause(COOL_DOWN_MS);
    // Others are answered while this one waits.
    const waiting = server.status(after);
    assert.equal(await server.status(ada), 200);
    assert.equal(await server.status(undefined, '/health'), 200);
    assert.equal(await waiting, 401);
    assert.equal(await server.status(await token(issuer, 'ada').then(() => ada)), 200, 'what was known stays known');
    if (mode !== 'silent') await becomes(() => /could not be fetched/.test(server.log), true);
  });
}

test('an issuer that is down at the start is waited for, and answers are given meanwhile', { timeout: 120_000 }, async () => {
  const issuer = await new Issuer().open();
  issuer.mode = 'down';
  const server = await Server.start(flags(issuer));
  try {
    const ada = await token(issuer, 'ada');
    const { status, code, headers } = await server.call('/api/state', { token: ada });
    assert.deepEqual([status, code, headers.get('retry-after')], [503, 'sign_in_unavailable', '5']);
    const socket = server.socket(`/ws?token=${ada}`);
    assert.equal(await socket.closed, '1013 Sign-in is not available');
    assert.equal(await server.status(undefined, '/health'), 200);
    assert.equal(await server.status('opaque'), 401);
    const doctor = async () => (await run(server.folder, 'doctor', ...flags(issuer))).stdout;
    assert.match(await doctor(), /✗ issuer .*could not be fetched/);
    issuer.mode = 'good';
    assert.match(await doctor(), /✓ issuer .*: 1 key/);
    await becomes(() => server.status(ada), 200);
  } finally {
    await server.stop();
    await issuer.close();
  }
});

scene('sockets and event streams end with their token, and go on with a newer one', { ttl: 6 }, async ({ issuer, server }) => {
  const short = await token(issuer, 'ada');
  const sockets = ['/ws', '/ws?session=b', '/ws/trace', '/ws/test'].map((path) => server.socket(path, ['bearer', short]));
  await Promise.all(sockets.map((socket) => socket.opened));
  const { status, text } = await server.events('/api/events', { token: short });
  assert.equal(status, 200);
  await sockets[0].ask('hello');
  issuer.ttl = 3600;
  issuer.provide();
  const long = await token(issuer, 'ada');
  sockets[1].say({ type: 'auth', token: long });
  sockets[2].say({ type: 'auth', token: long });
  assert.equal(await sockets[0].closed, '4001 Token expired');
  assert.equal(await sockets[3].closed, '4001 Token expired');
  const last = [...(await text).matchAll(/^id: (\d+)$/gm)].at(-1)[1];
  assert.ok(sockets[1].isOpen && sockets[2].isOpen, 'they brought a newer token');
  // What happened since is not missed.
  await server.call('/api/send', { token: long, body: { text: 'hello' } });
  const resumed = await fetch(`${server.address}/api/events`, { headers: { authorization: `Bearer ${long}`, 'last-event-id': last } });
  const reader = resumed.body.getReader();
  let more = '';
  while (!more.includes('"event":"frame_trace"')) more += Buffer.from((await reader.read()).value).toString();
  assert.ok([...more.matchAll(/^id: (\d+)$/gm)].every(([, id]) => Number(id) > Number(last)));
  await reader.cancel();
  // Another's token, or none, ends it at once.
  sockets[1].say({ type: 'auth', token: await token(issuer, 'eve') });
  assert.equal(await sockets[1].closed, '4001 Invalid token');
  await sockets[2].close();
});

scene("userinfo about another user names nobody", {}, async ({ issuer, server }) => {
  const [jwt, eves] = await Promise.all([token(issuer, 'ada'), token(issuer, 'eve', { resource: null })]);
  const identity = async () => (await server.call('/api/send/check', { token: jwt, body: {} })).body.identity;
  assert.equal(await identity(), 'ada');
  const other = server.socket(`/ws?token=${jwt}&access_token=${eves}`);
  await other.opened;
  assert.equal(await identity(), 'ada', "another's token names nobody");
  await other.close();
});

scene('a socket learns the name from userinfo on both shards', {}, async ({ issuer, server }) => {
  const [jwt, opaque] = await Promise.all([token(issuer, 'ada'), token(issuer, 'ada', { resource: null })]);
  const named = server.socket(`/ws?token=${jwt}&access_token=${opaque}`);
  await named.opened;
  for (let count = 0; count < 20; count += 1) {
    const { body } = await server.call('/api/send/check', { token: jwt, body: {} });
    assert.equal(body.identity, 'Ada Lovelace');
  }
  await named.ask('hello');
  assert.equal((await server.call('/api/state', { token: jwt })).body.memorizer.user_name, 'Ada Lovelace');
  await named.close();
});

scene('a run of test suites and its results are its own user\'s', { roles: { root: ['admin'] } }, async ({ issuer, server }) => {
  await mkdir(join(server.folder, 'testcases'));
  await writeFile(join(server.folder, 'testcases', 'mini.md'), '# Mini\n\nOne check.\n\n## 1. A greeting\n- send: hello\n- expect path: reflex\n');
  const [ada, eve, root] = await Promise.all(['ada', 'eve', 'root'].map((login) => token(issuer, login)));
  const watching = server.socket('/ws/test', ['bearer', eve]);
  await watching.opened;
  assert.equal((await server.call('/api/tests/run', { token: ada, body: { suites: ['mini'] } })).body.status, 'started');
  const status = async (bearer) => (await server.call('/api/test/status', { token: bearer })).body;
  await becomes(async () => (await status(ada)).last_green?.status, 'PASS');
  await becomes(async () => (await status(ada)).running, false);
  assert.deepEqual((await status(eve)).results, []);
  assert.deepEqual((await server.call('/api/tests', { token: eve })).body, {}, 'not even from the file');
  assert.equal((await server.call('/api/test/status?user=ada', { token: root })).body.last_green.status, 'PASS');
  assert.equal(watching.messages.length, 1, 'nothing but the status at the start');
  await watching.close();
});

test('API keys are created, used and revoked without a restart', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'framewright-keys-'));
  const file = join(folder, 'keys.toml');
  const command = (...words) => run(folder, 'key', ...words, '--api-keys', file);
  const first = await command('create', 'ci');
  assert.equal(first.status, 0, first.stderr);
  const key = first.stdout.trim();
  assert.match(key, /^fw_[\w-]{43}$/);
  assert.ok(!(await readFile(file, 'utf8')).includes(key.slice(3)), 'only its hash is kept');
  const server = await Server.start(['--api-keys', file]);
  try {
    assert.match(server.log, /auth: API keys/);
    assert.equal(await server.status(key), 200);
    assert.equal(await server.status(), 401);
    const board = (await command('create', 'board', '--scopes', 'read')).stdout.trim();
    await becomes(() => server.status(board), 200);
    assert.equal((await server.call('/api/send', { token: board, body: { text: 'hello' } })).code, 'missing_scope');
    assert.match((await command('list')).stdout, /board +read\nci +chat read/);
    assert.equal((await command('create', 'ci')).status, 3, 'a name is taken once');
    const chat = server.socket('/ws', ['bearer', key]);
    await chat.opened;
    assert.ok((await chat.ask('hello')).length > 0);
    // A file that is half written changes nothing.
    const whole = await readFile(file, 'utf8');
    await writeFile(file, `${whole}[keys.`);
    await becomes(() => /file of API keys is wrong/.test(server.log), true);
    assert.equal(await server.status(key), 200);
    await writeFile(file, whole);
    assert.equal((await command('revoke', 'ci')).status, 0);
    assert.equal(await chat.closed, '4001 Invalid token');
    assert.equal((await server.call('/api/state', { token: key })).code, 'invalid_token');
    assert.equal(await server.status(board), 200);
    assert.ok(!server.log.includes(key) && !server.log.includes(board), 'no key is logged');
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a header signs in only through a trusted proxy', { timeout: 60_000 }, async () => {
  for (const [proxy, expected] of [
    ['127.0.0.1', 'proxy:ada'],
    ['10.0.0.0/8', undefined],
  ]) {
    const server = await Server.start(['--auth-header', 'X-Remote-User', '--trusted-proxy', proxy]);
    try {
      const { body } = await server.call('/api/me', { headers: { 'x-remote-user': 'ada' } });
      assert.equal(body.sub, expected, proxy);
    } finally {
      await server.stop();
    }
  }
});
