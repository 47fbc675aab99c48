// Code in colours: a text becomes pieces, each a word of its language, a text, a number, a comment or nothing special.
//
// Pure. It knows what most languages share, and the words of the more common ones; what it doesn't know stays plain. The pieces
// put together are the text.

const C_LIKE = 'break case catch class const continue default do else enum extends false finally for if implements import in instanceof interface new null package private protected public return static super switch this throw throws true try typeof void while';
/** @type {Record<string, string>} */
const WORDS = {
  js: `${C_LIKE} async await export from function get let of set undefined var yield type as keyof readonly declare`,
  python: 'and as assert async await break class continue def del elif else except False finally for from global if import in is lambda None nonlocal not or pass raise return self True try while with yield match case',
  rust: 'as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while',
  go: 'break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var nil true false',
  c: `${C_LIKE} auto bool char double extern float goto inline int long namespace nullptr register short signed sizeof struct template typedef union unsigned using virtual volatile string var def fun val when object override`,
  sql: 'select from where group by order having limit offset join left right inner outer full cross natural on using as and or not in is null like between exists case when then else end union all distinct insert into values update set delete create table view index drop alter with recursive asc desc over partition true false except intersect cast count sum avg min max round coalesce',
  bash: 'if then else elif fi for in do done while until case esac function return exit export local readonly set unset echo cd sudo',
  css: '',
  json: 'true false null',
  yaml: 'true false null yes no on off',
};
/** @type {Record<string, string>} */
const NAMES = {
  javascript: 'js', jsx: 'js', mjs: 'js', ts: 'js', tsx: 'js', typescript: 'js', py: 'python', rs: 'rust', golang: 'go',
  java: 'c', kotlin: 'c', kt: 'c', cpp: 'c', 'c++': 'c', cs: 'c', csharp: 'c', php: 'c', swift: 'c', scala: 'c', h: 'c', hpp: 'c',
  mysql: 'sql', sqlite: 'sql', postgresql: 'sql', sh: 'bash', shell: 'bash', zsh: 'bash', console: 'bash', dockerfile: 'bash',
  scss: 'css', less: 'css', json5: 'json', jsonc: 'json', yml: 'yaml', toml: 'yaml', ini: 'yaml', xml: 'html', svg: 'html', vue: 'html',
};
const HASH = ['python', 'bash', 'yaml'];
const LENGTH_MAX = 50_000;

/** @typedef {{kind: '' | 'word' | 'text' | 'number' | 'comment' | 'name', text: string}} Piece */

/** @param {string} text @param {string} name as it stands behind the fence @returns {Piece[]} */
export function pieces(text, name) {
  const asked = name.toLowerCase();
  const language = NAMES[asked] ?? asked;
  if (text.length > LENGTH_MAX || !(language in WORDS || language === 'html')) return [{ kind: '', text }];
  const rule = language === 'html' ? HTML : ruleOf(language);
  const words = new Set(WORDS[language]?.split(' '));
  /** @type {Piece[]} */
  const all = [];
  let at = 0;
  for (const found of text.matchAll(rule)) {
    const { comment, quoted, number, name: tag, word } = found.groups ?? {};
    const isWord = word !== undefined && words.has(language === 'sql' ? word.toLowerCase() : word);
    const kind = comment !== undefined ? 'comment' : quoted !== undefined ? 'text' : number !== undefined ? 'number' : tag !== undefined ? 'name' : isWord ? 'word' : '';
    if (!kind) continue;
    if (found.index > at) all.push({ kind: '', text: text.slice(at, found.index) });
    all.push({ kind, text: found[0] });
    at = found.index + found[0].length;
  }
  if (at < text.length) all.push({ kind: '', text: text.slice(at) });
  return all;
}

/** Texts end with their line, except where three quotes or a backtick begin them. */
const QUOTED = String.raw`"""[\s\S]*?"""|'''[\s\S]*?'''|${'`'}(?:[^${'`'}\\]|\\.)*${'`'}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'`;
const HTML = /(?<comment><!--[\s\S]*?-->)|(?<name><\/?[\w:-]+|\/?>)|(?<quoted>"[^"<]*"|'[^'<]*')/g;

/** @param {string} language */
function ruleOf(language) {
  const line = language === 'sql' ? '--' : HASH.includes(language) ? '(?<![\\w$&])#' : language === 'css' ? '(?!)' : '\\/\\/';
  const block = HASH.includes(language) ? '' : '|\\/\\*[\\s\\S]*?\\*\\/';
  // In Rust a quote may begin a lifetime.
  const quoted = language === 'rust' ? String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\.)'` : QUOTED;
  const key = language === 'css' ? '|(?<name>[\\w-]+(?=\\s*:))' : language === 'yaml' ? '|(?<name>^[ \\t-]*[\\w.-]+(?=\\s*[:=]))' : '';
  return new RegExp(`(?<comment>${line}[^\\n]*${block})|(?<quoted>${quoted})${key}|(?<number>(?<![\\w.])(?:0x[\\da-f_]+|\\d[\\d_]*(?:\\.\\d+)?(?:e[+-]?\\d+)?))|(?<word>[\\p{L}_$][\\p{L}\\p{N}_$]*)`, 'gimu');
}
