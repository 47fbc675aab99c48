// What the page makes of values: exact, and in the language of the answer.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const source = await readFile(new URL('../../static/values.js', import.meta.url), 'utf8');
const { amount, columnKind, digits, measured, percentage } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

test('integers and identifiers keep every digit', () => {
  for (const [value, shown] of [
    [4006381333931, '4006381333931'],
    [2024, '2024'],
    [9007199254740993n, '9007199254740993'],
    [-1234567, '-1234567'],
    [0, '0'],
  ]) {
    assert.equal(digits(value, 'de'), shown);
  }
});

test('a measured decimal is shortened, but never to nothing, and follows the language', () => {
  for (const [value, language, shown] of [
    [1234567.891234, 'en', '1,234,567.891'],
    [1234567.891234, 'de', '1.234.567,891'],
    [1234567.891234, 'de-CH', '1’234’567.891'],
    [1234.5, 'de', '1234,5'],
    [0.1 + 0.2, 'en', '0.3'],
    [0.00012345, 'en', '0.0001235'],
    [1.5e-9, 'en', '1.5E-9'],
    [-0.25, 'fr', '-0,25'],
    ['1234.50', 'de', '1234,50'],
    ['0.500', 'en', '0.500'],
    ['1.00000', 'en', '1'],
    ['0.00012345', 'en', '0.0001235'],
    ['1234567890123456789.5', 'en', '1,234,567,890,123,456,789.5'],
    ['9007199254740993', 'en', '9,007,199,254,740,993'],
    [12345.5, 'ar', '12,345.5'],
    [12345.5, 'Klingon?', '12,345.5'],
    [12345.5, 'german', '12,345.5'],
    [12345.5, '', '12,345.5'],
  ]) {
    assert.equal(amount(value, language).replaceAll("'", '’'), shown, `${value} in ${language}`);
  }
});

test('only JSON\'s numbers are numbers', () => {
  for (const value of ['1,234.50', '1.234,50', '007', '0x1f', ' 12', '12 kg', '', 'NaN', 'Infinity', '1e999', NaN, Infinity, true, null, undefined, [], {}, [3]]) {
    assert.equal(measured(value), undefined, JSON.stringify(value));
  }
  for (const [value, number] of [['1234.50', 1234.5], ['-3', -3], ['1e3', 1000], [0, 0], [7n, 7], ['0', 0]]) assert.equal(measured(value), number);
});

test('a column is numeric when all that it has are numbers, and a measure when one has decimals', () => {
  for (const [values, isNumeric, isMeasure] of [
    [[null, 4006381333931, 17], true, false],
    [[2023, 2024.5], true, true],
    [[3, '9007199254740993'], true, false],
    [['1.10', '2.5'], true, false],
    [['0049', '12'], false, false],
    [[1, 'x'], false, false],
    [[null], false, false],
  ]) {
    assert.deepEqual(columnKind(values), { isNumeric, isMeasure }, JSON.stringify(values));
  }
});

test('a part is complete or nothing only when it is', () => {
  assert.deepEqual([0, 0.001, 0.996, 1, 1.2].map((part) => percentage(part, 'en')), ['0%', '1%', '99%', '100%', '120%']);
  assert.equal(percentage(0.45, 'de'), '45\u00a0%');
});
