// SQL with a line for each clause. Pure. Only white space between words changes, and nothing at all where that could matter: in
// texts, in quoted names, and in a statement with a comment that ends with its line.

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|\/\*[\s\S]*?\*\/|[\p{L}_@#$][\p{L}\p{N}_@#$.]*|\s+|[^]/gu;
const CLAUSE = /^(?:SELECT|FROM|WHERE|HAVING|LIMIT|OFFSET|UNION|EXCEPT|INTERSECT|VALUES|GROUP|ORDER|WINDOW|JOIN|LEFT|RIGHT|INNER|CROSS|FULL|NATURAL)$/i;
/** What is one clause with the word before it. */
const GOES_ON = /^(?:LEFT|RIGHT|INNER|CROSS|FULL|NATURAL|OUTER)$/i;
const WIDTH = 84;
const LENGTH_MAX = 20_000;

/** @param {string} sql */
export function formattedSql(sql) {
  const all = sql.match(TOKEN) ?? [];
  if (sql.length > LENGTH_MAX || all.some((token, at) => (token === '-' && all[at + 1] === '-') || token === '#')) return sql;
  /** @type {string[]} */
  const lines = [];
  /** Whether each open parenthesis holds a statement. @type {boolean[]} */
  const open = [];
  /** The line so far, cut at the commas of its clause. */
  let parts = [''];
  let indent = 0;
  let before = '';
  let betweens = 0;
  let cases = 0;

  /** @param {number} next indent of the next line */
  function end(next) {
    parts[parts.length - 1] = parts[parts.length - 1].trimEnd();
    const [head = ''] = /^\S+ (?:BY )?/i.exec(parts[0]) ?? [];
    const isLong = indent + parts.join(', ').length > WIDTH;
    const line = parts.join(isLong ? `,\n${' '.repeat(indent + head.length)}` : ', ');
    if (line) lines.push(' '.repeat(indent) + line);
    parts = [''];
    indent = next;
  }

  all.forEach((token, at) => {
    const depth = open.filter(Boolean).length * 2;
    const isClauseLevel = open.length === 0 || open[open.length - 1];
    const word = token.toUpperCase();
    if (/^\s/.test(token)) {
      if (parts[parts.length - 1]) parts[parts.length - 1] += ' ';
      return;
    }
    if (isClauseLevel && CLAUSE.test(word) && !GOES_ON.test(before) && before !== '(' && all[at + 1] !== '(' && !before.endsWith('.')) end(depth);
    else if (isClauseLevel && cases === 0 && (word === 'AND' || word === 'OR')) {
      if (word === 'AND' && betweens > 0) betweens -= 1;
      else end(depth + 2);
    }
    if (word === 'BETWEEN') betweens += 1;
    if (word === 'CASE') cases += 1;
    if (word === 'END') cases = Math.max(0, cases - 1);
    if (token === '(') {
      const next = all.slice(at + 1).find((one) => one.trim())?.toUpperCase();
      open.push(next === 'SELECT' || next === 'WITH');
    } else if (token === ')') open.pop();
    if (token === ',' && isClauseLevel) {
      parts[parts.length - 1] = parts[parts.length - 1].trimEnd();
      parts.push('');
    } else parts[parts.length - 1] += token;
    if (token === '(' && open[open.length - 1]) end(open.filter(Boolean).length * 2);
    before = word;
  });
  end(0);
  return lines.join('\n');
}
