// The page's own sources: their types hold, and the browser is told of all modules at once.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const here = fileURLToPath(new URL('./', import.meta.url));
const pages = new URL('../../static/', import.meta.url);

test('the types in the comments are true', () => {
  const { status, stdout } = spawnSync(`${here}node_modules/.bin/tsc`, ['-p', 'tsconfig.json'], { cwd: here, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('index.html names every module that is needed at once, so that none waits for another to be read', async () => {
  const html = await readFile(new URL('index.html', pages), 'utf8');
  const named = [...html.matchAll(/"\/static\/([\w/-]+\.m?js)"/g)].map(([, name]) => name);
  const needed = new Set(['theme-first.js', 'app.js']);
  for (const name of needed) {
    if (name.startsWith('vendor/')) continue;
    const source = await readFile(new URL(name, pages), 'utf8');
    for (const [, other] of source.matchAll(/^import .* from '\.\/(.+)';$/gm)) needed.add(other);
  }
  assert.deepEqual(named.sort(), [...needed].sort());
});
