// Values as people read them, without saying anything else than they do.
//
// Pure. An integer or a text may be a year, an id or a code, so it is shown digit by digit. Only what is measured follows the
// answer's language and is shortened: a number with decimals, and all numbers of a column that has one, or of a chart.

/** JSON's way to write a number: not `1,234.50`, `007` or `0x1f`, which may mean something else. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.(\d+))?(?:[eE][+-]?\d+)?$/;

const SHORTENED = { maximumFractionDigits: 3, maximumSignificantDigits: 4, roundingPriority: 'morePrecision', useGrouping: 'min2' };
const FAR = { notation: 'scientific', maximumSignificantDigits: 4 };

/** What a value measures; undefined when it isn't a number. Databases write decimals and large integers as text.
 * @param {unknown} value @returns {number | undefined} */
export function measured(value) {
  const number = typeof value === 'bigint' || (typeof value === 'string' && NUMBER.test(value)) ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** @param {unknown} value */
export function isMissing(value) {
  return value === null || value === undefined;
}

/** How a column stands and reads. @param {unknown[]} values @returns {{isNumeric: boolean, isMeasure: boolean}} */
export function columnKind(values) {
  const known = values.filter((value) => !isMissing(value));
  const isNumeric = known.length > 0 && known.every((value) => measured(value) !== undefined);
  return { isNumeric, isMeasure: isNumeric && known.some(hasDecimals) };
}

/** @param {unknown} value */
function hasDecimals(value) {
  return typeof value === 'number' && !Number.isInteger(value);
}

/** A number that measures something: `12,345.679` for 12345.6789, and `1234` as it is. Text that needs no shortening keeps its zeros.
 * @param {number | bigint | string} value as `measured` takes it @param {string} language */
export function amount(value, language) {
  const size = Math.abs(Number(value));
  const digits = typeof value === 'string' ? (NUMBER.exec(value)?.[1] ?? '').length : 0;
  if (digits > 0 && digits <= SHORTENED.maximumFractionDigits) return format(language, { useGrouping: 'min2', minimumFractionDigits: digits }, value);
  return format(language, size !== 0 && (size < 1e-6 || size >= 1e21) ? FAR : SHORTENED, value);
}

/** A number as it is, unless it has decimals. @param {number | bigint} value @param {string} language */
export function digits(value, language) {
  return hasDecimals(value) ? amount(value, language) : String(value);
}

/** How far something is: it is complete, or hasn't begun, only when that is so. @param {number} part @param {string} language */
export function percentage(part, language) {
  const percent = Math.round(part * 100);
  const honest = part > 0 && part < 1 ? Math.min(99, Math.max(1, percent)) : percent;
  return format(language, { style: 'percent' }, honest / 100);
}

/** @param {string} language @param {object} style @param {any} value */
function format(language, style, value) {
  return new Intl.NumberFormat(locale(language), /** @type {any} */ ({ ...style, numberingSystem: 'latn' })).format(value);
}

/** A model names languages as it likes; one that isn't known counts as English. @param {string} language */
function locale(language) {
  try {
    return Intl.NumberFormat.supportedLocalesOf([language, 'en'])[0];
  } catch {
    return 'en';
  }
}
