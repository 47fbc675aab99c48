// SQL set out in lines, for reading: each clause begins a line, and what belongs to it is indented.
//
// Pure. Only spaces outside of quotes and comments change; no character of the statement itself is added, dropped or moved.

/** Texts, names in quotes, comments, words, spaces, and single characters. */
const PARTS = /'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`[^`]*`|--[^\n]*|\/\*[^]*?\*\/|[\p{L}\p{N}_$.]+|\s+|[^]/gu;
const CLAUSES = new Set(['select', 'from', 'where', 'group', 'having', 'order', 'limit', 'union', 'with', 'window', 'intersect', 'except']);
const JOINS = new Set(['join', 'left', 'right', 'inner', 'cross', 'full', 'outer', 'natural']);
const LENGTH_MAX = 20_000;

/** @param {string} sql */
export function setOut(sql) {
  // What somebody has set out stays as it is, and so does a comment that ends with its line.
  if (sql.length > LENGTH_MAX || sql.trim().includes('\n')) return sql;
  const parts = (sql.trim().match(PARTS) ?? []).map((part) => (part.trim() ? part : ' '));
  let text = '';
  let indent = 0;
  let clause = '';
  let isBetween = false;
  /** What an open bracket holds: a query, with the line that it stands in, or something that stays in its line.
   * @type {({indent: number, clause: string} | undefined)[]} */
  const brackets = [];

  /** @param {number} depth */
  function begin(depth) {
    indent = depth;
    text = text.trimEnd() + (text ? `\n${'  '.repeat(depth)}` : '');
  }

  parts.forEach((part, at) => {
    const word = part.toLowerCase();
    const [before, after] = [nearest(parts, at, -1), nearest(parts, at, 1)];
    const base = 2 * brackets.filter(Boolean).length;
    if (word === ' ' && /\s$/.test(text)) return;
    if (word === '(') brackets.push(after === 'select' || after === 'with' ? { indent, clause } : undefined);
    else if (word === ')') {
      const query = brackets.pop();
      if (query) begin(query.indent);
      clause = query?.clause ?? clause;
    } else if (brackets.length === 0 || brackets.at(-1)) {
      const isJoin = JOINS.has(word) && !JOINS.has(before) && after !== '(';
      const isLogic = word === 'or' || (word === 'and' && !isBetween);
      if (CLAUSES.has(word)) {
        clause = word;
        begin(base);
      } else if (isJoin || (isLogic && clause !== 'select')) begin(base + 1);
    }
    isBetween = word === 'between' || (isBetween && word !== 'and');
    text += part;
    if (part === ',' && clause === 'select' && (brackets.length === 0 || brackets.at(-1))) begin(base + 1);
  });
  return text;
}

/** The next part in a direction that is no space, in small letters. @param {string[]} parts @param {number} at @param {1 | -1} step */
function nearest(parts, at, step) {
  let to = at + step;
  while (parts[to] === ' ') to += step;
  return (parts[to] ?? '').toLowerCase();
}
