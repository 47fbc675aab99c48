// A real nginx in front of the server, in a folder of its own: strict (no upgrade, everything buffered), plain (no upgrade), renamed
// (the server isn't told the name that the browser uses) or friendly.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS_MAX = 10_000;
const binary = process.env.NGINX_BIN ?? '/usr/sbin/nginx';

const STRICT = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_buffers 8 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;';
const PLAIN = 'proxy_http_version 1.1;';
const FRIENDLY = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;';

export class Nginx {
  /** @param {string} target the server's address @param {'strict' | 'plain' | 'renamed' | 'friendly'} manner */
  constructor(target, manner) {
    Object.assign(this, { target, manner });
  }

  async open() {
    this.folder = await mkdtemp(join(tmpdir(), 'framewright-nginx-'));
    this.port = await freePort();
    this.address = `http://127.0.0.1:${this.port}`;
    await this.configure(this.manner);
    this.process = spawn(binary, ['-p', this.folder, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.said = '';
    this.process.stderr.on('data', (bytes) => (this.said += bytes));
    this.process.once('error', (error) => (this.said += error.message));
    await this.answers();
  }

  /** @param {'strict' | 'plain' | 'renamed' | 'friendly'} manner */
  async change(manner) {
    await this.configure(manner);
    this.process.kill('SIGHUP');
  }

  async close() {
    if (this.process?.pid && this.process.exitCode === null) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve));
      this.process.kill('SIGTERM');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async configure(manner) {
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${this.folder}/${name};`);
    const user = process.getuid() === 0 ? 'user root;' : '';
    await writeFile(
      join(this.folder, 'nginx.conf'),
      `${user} daemon off; worker_processes 1; worker_shutdown_timeout 1s; pid ${this.folder}/nginx.pid; error_log stderr warn;
       events { worker_connections 128; }
       http {
         access_log off; ${folders.join(' ')}
         map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
         server {
           listen 127.0.0.1:${this.port};
           location / { proxy_pass ${this.target}; ${manner === 'renamed' ? '' : 'proxy_set_header Host $http_host;'} ${{ strict: STRICT, plain: PLAIN, renamed: FRIENDLY, friendly: FRIENDLY }[manner]} }
         }
       }`,
    );
  }

  async answers() {
    for (const end = Date.now() + START_MS_MAX; Date.now() < end; ) {
      const response = await fetch(`${this.address}/health`).catch(() => undefined);
      if (response?.ok) return;
      if (!this.process.pid || this.process.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`nginx (package nginx-light) gave no answer; it said: ${this.said}`);
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
