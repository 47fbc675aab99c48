// The documentation: Markdown files of the project, shown one at a time under `/docs/<name>`. The server has them as
// `/docs/<name>.md`. Links between the files become links between the pages.

import { DOMPurify, Marked } from './vendor/prose.mjs';

/** Pages whose file lies outside `docs/`. @type {Record<string, string>} */
const ELSEWHERE = {
  readme: 'README.md',
  security: 'SECURITY.md',
  architecture: 'ARCHITECTURE.md',
  changelog: 'CHANGELOG.md',
  graphs: 'graphs/README.md',
  suites: 'src/suite/README.md',
};
const HOME = 'index';
const ATTRIBUTES = ['href', 'start', 'align', 'tabindex'];

/** @param {string} name */
function source(name) {
  return ELSEWHERE[name] ?? `docs/${name}.md`;
}

/** The address of what a link in a file means; none where the page can't show it. @param {string} href @param {string} from its file */
function address(href, from) {
  if (/^(?:https?:|mailto:|#)/.test(href)) return href;
  const { pathname, hash } = new URL(href, `http://files/${from}`);
  const file = pathname.slice(1);
  const [other] = Object.entries(ELSEWHERE).find(([, path]) => path === file) ?? [];
  const name = other ?? /^docs\/([\w-]+)\.md$/.exec(file)?.[1];
  return name === undefined ? '' : `/docs${name === HOME ? '' : `/${name}`}${hash}`;
}

/** As GitHub makes the anchor of a heading. @param {string} heading */
function anchor(heading) {
  return heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
}

/** @param {string} text Markdown @param {string} file where it stands */
function rendered(text, file) {
  const marked = new Marked({
    gfm: true,
    renderer: {
      link({ href, tokens }) {
        const inner = this.parser.parseInline(tokens);
        const to = address(href, file);
        return to ? `<a href="${to.replace(/"/g, '&quot;')}">${inner}</a>` : inner;
      },
      // Pictures lie outside the binary.
      image: () => '',
      code: ({ text: code }) => `<pre tabindex="0"><code>${code.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)}</code></pre>\n`,
    },
  });
  return DOMPurify.sanitize(/** @type {string} */ (marked.parse(text)), { ALLOWED_ATTR: ATTRIBUTES, RETURN_TRUSTED_TYPE: true });
}

/** @param {string} name @returns {Promise<string>} its Markdown */
async function read(name) {
  const response = await fetch(`/docs/${name}.md`);
  if (!response.ok) throw new Error(response.status === 404 ? `There is no page “${name}”.` : `The server answered with status ${response.status}.`);
  return response.text();
}

/** @param {string} name */
async function show(name) {
  const main = /** @type {HTMLElement} */ (document.querySelector('main'));
  try {
    main.innerHTML = /** @type {any} */ (rendered(await read(name), source(name)));
  } catch (error) {
    main.textContent = error instanceof Error ? error.message : String(error);
    return;
  }
  for (const heading of main.querySelectorAll('h1, h2, h3, h4')) heading.id = anchor(heading.textContent ?? '');
  for (const [at, table] of main.querySelectorAll('table').entries()) {
    const frame = document.createElement('div');
    frame.className = 'table';
    frame.tabIndex = 0;
    frame.role = 'region';
    frame.ariaLabel = `Table ${at + 1}`;
    table.replaceWith(frame);
    frame.append(table);
  }
  document.title = `${main.querySelector('h1')?.textContent ?? name} · framewright documentation`;
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

/** The pages that the index lists, and those that lie elsewhere. @param {string} shown */
async function list(shown) {
  const index = document.createElement('div');
  index.innerHTML = /** @type {any} */ (rendered(await read(HOME), source(HOME)));
  const rows = document.createElement('ul');
  const known = new Set();
  for (const link of index.querySelectorAll('a[href^="/docs"]')) {
    const [path] = (link.getAttribute('href') ?? '').split('#');
    if (known.has(path)) continue;
    known.add(path);
    const row = document.createElement('li');
    const copy = document.createElement('a');
    copy.href = path;
    copy.textContent = link.textContent;
    if (path === `/docs/${shown}`) copy.ariaCurrent = 'page';
    row.append(copy);
    rows.append(row);
  }
  document.querySelector('nav')?.append(rows);
}

const name = /^\/docs\/([\w-]+)\/?$/.exec(location.pathname)?.[1] ?? HOME;
show(name);
list(name).catch(() => undefined);
