// The real server on a free port, and what a client of it does: calls, sockets, event streams.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

const START_MS_MAX = 20_000;
const BECOMES_MS_MAX = 30_000;
const root = new URL('../../', import.meta.url);
const binary = process.env.FRAMEWRIGHT_BIN ?? fileURLToPath(new URL('target/debug/framewright', root));
// Whatever this machine has configured, the tests talk to the demo.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OPENAI|FRAMEWRIGHT)_/.test(name)));

export class Server {
  /** @param {string[]} flags */
  static async start(flags = []) {
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), 'framewright-sign-in-'));
    const options = { cwd: server.folder, env, stdio: ['ignore', 'ignore', 'pipe'] };
    server.process = spawn(binary, ['--listen', '127.0.0.1:0', '--shards', '2', '--demo-delay-ms', '1', '--tests', ...flags], options);
    server.log = '';
    server.address = await new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`the server gave no address: ${why}; it said: ${server.log}`));
      const timer = setTimeout(() => fail('too slow'), START_MS_MAX);
      server.process.stderr.on('data', (bytes) => {
        server.log += bytes;
        // Warnings may come first, with addresses of others in them.
        const found = /^framewright \S+ {2}(http:\/\/[\w.:]+:\d+)/m.exec(server.log);
        if (found) resolve(found[1]);
        if (found) clearTimeout(timer);
      });
      server.process.once('error', fail);
      server.process.once('exit', (code) => fail(`it ended with ${code}`));
    });
    return server;
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    if (this.process.exitCode === null && this.process.kill('SIGTERM')) await ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  /** @returns {Promise<{status: number, code?: string, body: any, headers: Headers}>} */
  async call(path, { token, body, headers = {} } = {}) {
    const options = { headers: { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}) } };
    if (body !== undefined) Object.assign(options, { method: 'POST', body: JSON.stringify(body) });
    if (body !== undefined) options.headers['content-type'] = 'application/json';
    const answer = await fetch(this.address + path, options);
    const told = await answer.json();
    return { status: answer.status, code: told.code, body: told, headers: answer.headers };
  }

  /** The status that a token gets. */
  async status(token, path = '/api/state') {
    return (await this.call(path, { token })).status;
  }

  socket(path, protocols = []) {
    return new Socket(this.address.replace('http', 'ws') + path, protocols);
  }

  /** Opens an event stream; `text` is all of it once it has ended. */
  async events(path, { token, headers = {} }) {
    const answer = await fetch(this.address + path, { headers: { ...headers, authorization: `Bearer ${token}` } });
    return { status: answer.status, text: answer.text() };
  }
}

/** Runs a command of the program. @returns {Promise<{status: number, stdout: string, stderr: string}>} */
export function run(folder, ...words) {
  return new Promise((resolve) => {
    const options = { cwd: folder, env, encoding: 'utf8' };
    execFile(binary, words, options, (error, stdout, stderr) => resolve({ status: error?.code ?? 0, stdout, stderr }));
  });
}

/** A WebSocket with everything that it was sent. */
export class Socket {
  constructor(url, protocols) {
    this.messages = [];
    this.socket = new WebSocket(url, protocols);
    this.opened = new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject));
    this.closed = new Promise((resolve) => this.socket.once('close', (code, reason) => resolve(`${code} ${reason}`)));
    this.socket.on('message', (text) => this.messages.push(JSON.parse(text)));
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  say(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends a message and waits for the end of its turn; returns the answer. */
  async ask(text) {
    const from = this.messages.length;
    this.say({ text });
    await becomes(() => this.messages.slice(from).some((message) => message.type === 'done'), true);
    const deltas = this.messages.slice(from).filter((message) => message.type === 'delta' && !message.kind);
    return deltas.map((message) => message.content).join('');
  }

  close() {
    this.socket.close();
    return this.closed;
  }
}

/** Waits until what `read` returns is `expected`. */
export async function becomes(read, expected) {
  const until = Date.now() + BECOMES_MS_MAX;
  for (;;) {
    const value = await read();
    if (value === expected) return;
    if (Date.now() > until) throw new Error(`it stays ${JSON.stringify(value)} and does not become ${JSON.stringify(expected)}`);
    await pause(25);
  }
}
