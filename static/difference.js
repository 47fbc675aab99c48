// What differs between what a check expects and what came, word by word.
//
// Pure. A check is a rule, so what is worth a mark depends on it: of `is` the words that only one of the two has, of `contains`
// and `has` those that are missing, of their opposite those that should not be there, of a number all of it, of a pattern nothing.
// Where long texts have little in common the marks would only disturb, so then there are none.

/** @typedef {{text: string, isMarked: boolean}} Piece */

/** Beyond it the two are shown as they are: nobody reads that many marks. */
const WORDS_MAX = 1500;
/** Texts of so few words are compared whatever they have in common. */
const WORDS_FEW = 15;
/** Else both must have this share of the shorter one's words. */
const ALIKE_MIN = 0.3;

/** What a check is about, and its verb: `response: not contains `. */
const RULE = /^(?:path:\s*|[\w ]+:\s*(?:(?!not\b)\w+\s+)?(?<not>not\s+)?(?<verb>is|contains|has)\s+)/i;
/** What a comparison of numbers is about, with its sign: `calls: llm == `. */
const COMPARED = /^[\w ]+:(?:\s+\w+)*\s*(?:[<>]=?|[!=]=)\s*/;
const JOINS = /^(?:or|and)$/i;

/** @param {string} expected @param {string} got @returns {{expected: Piece[], got: Piece[]}} */
export function difference(expected, got) {
  const [compared] = COMPARED.exec(expected) ?? [''];
  if (compared && /^\d/.test(got)) {
    return { expected: [{ text: compared, isMarked: false }, { text: expected.slice(compared.length), isMarked: true }], got: [{ text: got, isMarked: true }] };
  }
  const rule = RULE.exec(expected);
  const isText = Boolean(rule) || !/^[\w ]+:\s/.test(expected);
  const lead = rule?.[0] ?? '';
  const [one, other] = [words(expected.slice(lead.length)), words(got)];
  const isShort = one.length <= WORDS_MAX && other.length <= WORDS_MAX;
  const common = isText && isShort ? inBoth(one.map(sense), other.map(sense)) : [];
  const [ours, theirs] = [new Set(common.map(([at]) => at)), new Set(common.map(([, at]) => at))];
  const isNegated = Boolean(rule?.groups?.not);
  const isWhole = (rule?.groups?.verb ?? 'is').toLowerCase() === 'is';
  const isWorth = isText && isShort && (isNegated || isAlike(one, other, ours));
  return {
    expected: joined([{ text: lead, isMarked: false }, ...marked(one, (at) => isWorth && !isNegated && !ours.has(at) && (isWhole || !JOINS.test(one[at])))]),
    got: joined(marked(other, (at) => isWorth && (isNegated ? theirs.has(at) : isWhole && !theirs.has(at)))),
  };
}

/** Two texts, with the words marked that only one of them has. @param {string} before @param {string} after @returns {{before: Piece[], after: Piece[]}} */
export function between(before, after) {
  const [one, other] = [words(before), words(after)];
  const isShort = one.length <= WORDS_MAX && other.length <= WORDS_MAX;
  const common = isShort ? inBoth(one.map(sense), other.map(sense)) : [];
  const [ours, theirs] = [new Set(common.map(([at]) => at)), new Set(common.map(([, at]) => at))];
  return {
    before: joined(marked(one, (at) => isShort && !ours.has(at))),
    after: joined(marked(other, (at) => isShort && !theirs.has(at))),
  };
}

/** @param {string[]} one @param {string[]} other @param {Set<number>} kept those of `one` that both have */
function isAlike(one, other, kept) {
  const [few, many] = [one.filter(isSpoken).length, other.filter(isSpoken).length].sort((a, b) => a - b);
  return many <= WORDS_FEW || (few > 0 && one.filter((word, at) => isSpoken(word) && kept.has(at)).length >= few * ALIKE_MIN);
}

/** @param {string} word */
function isSpoken(word) {
  return /[\p{L}\p{N}]/u.test(word);
}

/** Quotes belong to how a text is shown. @param {string[]} all @param {(at: number) => boolean} isMarked @returns {Piece[]} */
function marked(all, isMarked) {
  return all.map((text, at) => ({ text, isMarked: text !== '"' && isMarked(at) }));
}

/** Words, spaces and signs; nothing is lost. @param {string} text */
function words(text) {
  return text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
}

/** What counts of a word. @param {string} word */
function sense(word) {
  return /^\s+$/.test(word) ? ' ' : word.toLowerCase();
}

/** The longest row of words that stands in both, as pairs of places. @param {string[]} one @param {string[]} other @returns {[number, number][]} */
function inBoth(one, other) {
  const width = other.length + 1;
  const lengths = new Uint16Array((one.length + 1) * width);
  for (let at = one.length - 1; at >= 0; at -= 1) {
    for (let to = other.length - 1; to >= 0; to -= 1) {
      const here = at * width + to;
      lengths[here] = one[at] === other[to] ? lengths[here + width + 1] + 1 : Math.max(lengths[here + width], lengths[here + 1]);
    }
  }
  /** @type {[number, number][]} */
  const pairs = [];
  for (let at = 0, to = 0; at < one.length && to < other.length; ) {
    const here = at * width + to;
    if (one[at] === other[to]) pairs.push([at++, to++]);
    else if (lengths[here + width] >= lengths[here + 1]) at += 1;
    else to += 1;
  }
  return pairs;
}

/** Neighbours of a kind become one; a space between two marked words is marked as well. @param {Piece[]} pieces */
function joined(pieces) {
  const all = pieces.map((piece, at) => {
    const isBetween = /^\s+$/.test(piece.text) && pieces[at - 1]?.isMarked && pieces[at + 1]?.isMarked;
    const isEdge = /^\s+$/.test(piece.text) && !isBetween;
    return { ...piece, isMarked: isBetween || (piece.isMarked && !isEdge) };
  });
  /** @type {Piece[]} */
  const made = [];
  for (const piece of all) {
    if (piece.text === '') continue;
    const last = made.at(-1);
    if (last && last.isMarked === piece.isMarked) last.text += piece.text;
    else made.push({ ...piece });
  }
  return made;
}
