// What the browser remembers between visits. Forbidden or full storage is no error: then nothing is remembered.

const PREFIX = 'framewright:';

/** @typedef {'visits' | 'tab'} Span  across visits, or as long as this tab lives */

/** @param {Span} span */
function storage(span) {
  return span === 'tab' ? sessionStorage : localStorage;
}

/** @param {string} name @param {Span} [span] @returns {string} */
export function remembered(name, span = 'visits') {
  try {
    return storage(span).getItem(PREFIX + name) ?? '';
  } catch {
    return '';
  }
}

/** An empty value forgets. @param {string} name @param {string} value @param {Span} [span] */
export function remember(name, value, span = 'visits') {
  try {
    if (value) storage(span).setItem(PREFIX + name, value);
    else storage(span).removeItem(PREFIX + name);
  } catch {
    // Not remembered, then.
  }
}

/** What all names that begin so go on with. @param {string} beginning @param {Span} span @returns {string[]} */
export function namesBehind(beginning, span) {
  try {
    const names = Object.keys(storage(span)).filter((name) => name.startsWith(PREFIX + beginning));
    return names.map((name) => name.slice((PREFIX + beginning).length));
  } catch {
    return [];
  }
}

/** Forgets all whose names begin so. @param {string} beginning */
export function forget(beginning) {
  for (const span of /** @type {Span[]} */ (['visits', 'tab'])) {
    for (const name of namesBehind(beginning, span)) remember(beginning + name, '', span);
  }
}
