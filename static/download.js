// Files that the page makes: what is on the screen, to take along.

/** The name of a file, from a label that somebody may have written. @param {string} label @param {string} otherwise @param {string} ending */
export function fileName(label, otherwise, ending) {
  const name = label.normalize('NFC').replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60);
  return `${name || otherwise}.${ending}`;
}

/** @param {string} name @param {Blob} content */
export function download(name, content) {
  const url = URL.createObjectURL(content);
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What a program for tables would take for a formula. A value may come from anyone. */
const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^[-+]?[\d.,]+(?:e[+-]?\d+)?$/i;

/** Rows as CSV (RFC 4180), with the mark by which Excel knows that it is UTF-8. Values are exact; a text that a program would
 * take for a formula gets a quote before it. @param {string[][]} rows */
export function csv(rows) {
  const cell = (/** @type {string} */ value) => {
    const safe = FORMULA.test(value) && !NUMBER.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `\ufeff${rows.map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}
