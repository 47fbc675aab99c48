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

/** Forgets all whose names begin so. @param {string} beginning */
export function forget(beginning) {
  for (const span of /** @type {Span[]} */ (['visits', 'tab'])) {
    try {
      for (const name of Object.keys(storage(span))) if (name.startsWith(PREFIX + beginning)) storage(span).removeItem(name);
    } catch {
      // Nothing is remembered there.
    }
  }
}
