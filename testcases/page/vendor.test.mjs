// What is vendored is what the libraries' packages make: nobody edits it by hand, and nobody forgets to renew it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundle, vendored } from './vendor/vendor.mjs';

test('`npm run vendor` would change nothing', async () => {
  const [made, found] = await Promise.all([bundle(), vendored()]);
  assert.deepEqual(Object.keys(found.files).sort(), Object.keys(made.files).sort());
  for (const [name, content] of Object.entries(made.files)) assert.ok(found.files[name] === content, `static/vendor/${name} differs`);
  assert.equal(found.lock, made.lock);
});
