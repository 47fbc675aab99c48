// Bundles the page's libraries into `static/vendor/` and writes down what went in.
//
// Our own code needs no build; this runs only when a library changes: `npm run vendor`. The page test calls `bundle()`
// and compares, so that nobody can edit a vendored file by hand. `vendor.lock.json` holds each library's version and
// licence, and each file's SHA-256; the licence texts stand beside the bundle.

import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

const here = new URL('./', import.meta.url);
const target = new URL('../../../static/vendor/', here);
const lock = new URL('vendor.lock.json', here);

/** Bundle → the libraries in it. Each has its entry and its types beside this script. */
const bundles = {
  ui: ['preact', '@preact/signals', '@preact/signals-core', 'htm'],
  prose: ['marked', 'dompurify'],
  cytoscape: ['cytoscape'],
  oauth: ['oauth4webapi'],
};

/** Everything that vendoring makes: file name → content. */
export async function bundle() {
  const packages = await Promise.all(Object.values(bundles).flat().map(describe));
  const files = {};
  for (const [name, libraries] of Object.entries(bundles)) {
    files[`${name}.mjs`] = await script(name, packages.filter((known) => libraries.includes(known.name)));
    files[`${name}.d.mts`] = await readFile(new URL(`${name}.d.mts`, here), 'utf8');
  }
  files['licences.txt'] = packages.map(notice).join('\n\n');
  return { files, lock: statement(packages, files) };
}

/** What is vendored now, in the same shape. */
export async function vendored() {
  const names = (await readdir(target)).sort();
  const entries = await Promise.all(names.map(async (name) => [name, await readFile(new URL(name, target), 'utf8')]));
  return { files: Object.fromEntries(entries), lock: await readFile(lock, 'utf8') };
}

async function describe(name) {
  const folder = new URL(`../node_modules/${name}/`, here);
  const { version, license } = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  return { name, version, licence: license, text: file ? await readFile(new URL(file, folder), 'utf8') : '' };
}

async function script(bundle, packages) {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(`${bundle}.js`, here))],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'error',
    tsconfigRaw: {},
  });
  // A little shorter than what esbuild makes.
  const { code } = await minify(result.outputFiles[0].text, { module: true, ecma: 2020, compress: { passes: 3 } });
  const names = packages.map(({ name, version }) => `${name} ${version}`).join(', ');
  return `// ${names}. Made by \`npm run vendor\`; licences: licences.txt\n${code}\n`;
}

function notice({ name, version, licence, text }) {
  return `${'='.repeat(80)}\n${name} ${version}: ${licence}\n${'='.repeat(80)}\n\n${text.trim()}\n`;
}

function statement(packages, files) {
  const sha256 = (content) => createHash('sha256').update(content).digest('hex');
  const written = {
    libraries: packages.map(({ name, version, licence }) => ({ name, version, licence })),
    files: Object.entries(files).map(([name, content]) => ({ name, sha256: sha256(content) })),
  };
  return `${JSON.stringify(written, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = await bundle();
  await mkdir(target, { recursive: true });
  await Promise.all(Object.entries(made.files).map(([name, content]) => writeFile(new URL(name, target), content)));
  await writeFile(lock, made.lock);
  process.stdout.write(made.lock);
}
