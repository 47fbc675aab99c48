// What operators of a server with sign-in rely on: a private authority, the audit log, the checks over HTTP, a change of roles.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CLIENT, Issuer, PROJECT } from './issuer.mjs';
import { Server, becomes, run } from './server.mjs';

// The tests' own calls of an issuer with a private certificate; the server decides for itself.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const flags = (issuer, ...more) => ['--oidc-issuer', issuer.url, '--oidc-client-id', CLIENT, '--oidc-project-id', PROJECT, ...more];
const token = async (issuer, login) => (await issuer.signIn(login)).access_token;

/** Plays a scene with an issuer and a folder of its own. */
function scene(name, options, play) {
  test(name, { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'framewright-operate-'));
    const issuer = await new Issuer(typeof options === 'function' ? await options(folder) : options).open();
    try {
      await play({ issuer, folder });
    } finally {
      await issuer.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** Starts a server for as long as `use` takes. */
async function serving(words, use) {
  const server = await Server.start(words);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** An authority of our own, a certificate that it issued, and a stranger's authority. */
async function authorities(folder) {
  const openssl = (...words) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  for (const name of ['ca', 'stranger']) {
    openssl('req', '-x509', ...key, '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`);
  }
  openssl('req', ...key, '-subj', '/CN=issuer', '-keyout', 'issuer.key', '-out', 'issuer.csr');
  await writeFile(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n');
  const signs = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'issuer.csr', ...signs, '-out', 'issuer.pem');
  const read = (name) => readFile(join(folder, name), 'utf8');
  return { tls: { key: await read('issuer.key'), cert: await read('issuer.pem') } };
}

const lines = async (file) => (await readFile(file, 'utf8')).trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line));

scene('an issuer behind a private authority counts only with --oidc-ca', authorities, async ({ issuer, folder }) => {
  const ada = await token(issuer, 'ada');
  const [ca, stranger] = ['ca.pem', 'stranger.pem'].map((name) => join(folder, name));
  for (const [more, status, found] of [
    [[], 503, 'fail'],
    [['--oidc-ca', ca], 200, 'ok'],
    [['--oidc-ca', stranger], 503, 'fail'],
  ]) {
    await serving(flags(issuer, ...more), async (server) => {
      assert.equal(await server.status(ada), status, `${more}`);
    });
    const doctor = await run(folder, 'doctor', '--json', '--listen', '127.0.0.1:0', '--model', 'demo', ...flags(issuer, ...more));
    assert.equal(doctor.status, found === 'ok' ? 0 : 1, doctor.stdout);
    const check = JSON.parse(doctor.stdout).checks.find(({ name }) => name === 'issuer');
    assert.equal(check.status, found);
    assert.match(check.status === 'ok' ? check.detail : check.fix, found === 'ok' ? /1 key, for client .* vouched for by 1 certificate/ : /--oidc-ca/);
  }
  await writeFile(join(folder, 'empty.pem'), 'nothing');
  await writeFile(join(folder, 'broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  for (const name of ['empty.pem', 'broken.pem', 'none.pem', 'ca.key']) {
    const ended = await run(folder, '--listen', '127.0.0.1:0', '--model', 'demo', ...flags(issuer, '--oidc-ca', name));
    assert.equal(ended.status, 3, name);
    assert.match(ended.stderr, new RegExp(`--oidc-ca: ${name}`), name);
  }
});

scene('the audit log says who signed in and who read whose data', { roles: { root: ['admin'] } }, async ({ issuer, folder }) => {
  const file = join(folder, 'audit.log');
  const [ada, eve, root] = await Promise.all(['ada', 'eve', 'root'].map((login) => token(issuer, login)));
  await serving(flags(issuer, '--admin-value', 'admin', '--audit', file), async (server) => {
    for (let times = 0; times < 6; times += 1) assert.equal(await server.status(ada), 200);
    assert.equal((await server.call('/api/send', { token: ada, body: { text: 'hello pelican' } })).status, 200);
    assert.equal(await server.status(root, '/api/frames?user=ada'), 200);
    assert.equal(await server.status(eve, '/api/frames?user=ada'), 403);
    for (let times = 0; times < 300; times += 1) assert.equal(await server.status('a.b.c'), 401);
    const watching = server.socket(`/ws/trace?user=ada&token=${root}`);
    await watching.opened;
    await watching.close();
  });
  const noted = await lines(file);
  const of = (what, outcome) => noted.filter((line) => line.what === what && line.outcome === outcome);
  const signedIn = of('sign_in', 'done');
  assert.deepEqual(signedIn.map(({ who, by }) => `${who} ${by}`).sort(), ['ada token', 'eve token', 'root token'], 'once each, on two shards');
  assert.ok(signedIn.every(({ from, expires }) => from === '127.0.0.1' && Date.parse(expires) > Date.now()));
  assert.deepEqual(of('read_other', 'done').map(({ who, user, detail }) => `${who} ${user} ${detail}`), ['root ada /api/frames', 'root ada /ws/trace']);
  assert.deepEqual(of('read_other', 'refused').map(({ who, user, code }) => `${who} ${user} ${code}`), ['eve ada missing_role']);
  const refused = of('sign_in', 'refused');
  assert.equal(refused.reduce((sum, { count = 1 }) => sum + count, 0), 300, 'each attempt is counted');
  assert.ok(refused.length <= 62 && refused.filter(({ count }) => count).length <= 2, 'and few are lines');
  const text = await readFile(file, 'utf8');
  for (const secret of [ada, eve, root]) assert.ok(!text.includes(secret.slice(-20)), 'no token');
  assert.ok(!text.includes('pelican') && !text.includes('Lovelace'), 'no message and no name');
});

scene('administrators have the checks over HTTP', { roles: { root: ['admin'] } }, async ({ issuer }) => {
  const [ada, root] = await Promise.all(['ada', 'root'].map((login) => token(issuer, login)));
  await serving(flags(issuer, '--admin-value', 'admin'), async (server) => {
    assert.equal((await server.call('/api/doctor')).code, 'missing_token');
    assert.equal((await server.call('/api/doctor', { token: ada })).code, 'missing_scope');
    const { status, body } = await server.call('/api/doctor', { token: root });
    assert.equal(status, 200);
    const found = Object.fromEntries(body.checks.map((check) => [check.name, check]));
    for (const name of ['settings', 'event_loop', 'descriptors', 'clock', 'host_names', 'address', 'issuer', 'graphs', 'database', 'model', 'test_suites']) {
      assert.ok(['ok', 'warn'].includes(found[name]?.status), `${name}: ${JSON.stringify(found[name])}`);
    }
    assert.match(found.issuer.detail, /1 key/);
    issuer.mode = 'down';
    const again = (await server.call('/api/doctor', { token: root })).body.checks.find(({ name }) => name === 'issuer');
    assert.equal(again.status, 'fail');
    assert.match(again.fix, /nobody can sign in/);
  });
});

scene("a clock that is far from the issuer's is noticed", { dateSkew: -600 }, async ({ issuer, folder }) => {
  const doctor = await run(folder, 'doctor', '--listen', '127.0.0.1:0', '--model', 'demo', ...flags(issuer));
  assert.equal(doctor.status, 1, doctor.stdout);
  assert.match(doctor.stdout, /✗ clock +(599|600|601|602|603) seconds ahead of the issuer's/);
});

scene('a reload takes the role of administrators away at once, and nobody else notices', { roles: { root: ['admin'] } }, async ({ issuer, folder }) => {
  const file = join(folder, 'f.toml');
  await writeFile(file, "[auth]\nadmin_value = 'admin'\n");
  const [ada, root] = await Promise.all(['ada', 'root'].map((login) => token(issuer, login)));
  await serving(flags(issuer, '--config', file), async (server) => {
    const chat = server.socket('/ws', ['bearer', ada]);
    await chat.opened;
    assert.ok((await chat.ask('hello')).length > 0);
    const watching = server.socket('/ws/trace?user=ada', ['bearer', root]);
    await watching.opened;
    assert.equal(await server.status(root, '/api/frames?user=ada'), 200);
    await writeFile(file, "[auth]\nadmin_value = 'superuser'\n");
    server.process.kill('SIGHUP');
    await becomes(() => server.status(root, '/api/frames?user=ada'), 403);
    assert.match(await watching.closed, /^1013 the administrators' role has changed/);
    assert.ok((await chat.ask('hello')).length > 0, 'the conversation goes on over the same socket');
    await chat.close();
  });
});
