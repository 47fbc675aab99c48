// What differs between two texts, word by word: which words of the one are missing in the other, and the other way round.
//
// Pure. Where the two have little in common the marks would only disturb, so then there are none.

/** @typedef {{text: string, isMarked: boolean}} Piece */

/** Beyond it the two are shown as they are: nobody reads that many marks. */
const WORDS_MAX = 1500;
/** Share of the shorter text's words that both must have. */
const ALIKE_MIN = 0.3;

/** @param {string} expected @param {string} got @returns {{expected: Piece[], got: Piece[]}} */
export function difference(expected, got) {
  const [one, other] = [words(expected), words(got)];
  const common = one.length <= WORDS_MAX && other.length <= WORDS_MAX ? inBoth(one.map(sense), other.map(sense)) : [];
  const spoken = (/** @type {string} */ word) => /[\p{L}\p{N}]/u.test(word);
  const most = Math.min(one.filter(spoken).length, other.filter(spoken).length);
  const isAlike = most > 0 && common.filter(([at]) => spoken(one[at])).length >= most * ALIKE_MIN;
  const pieces = (/** @type {string[]} */ all, /** @type {Set<number>} */ kept) => joined(all.map((text, at) => ({ text, isMarked: isAlike && !kept.has(at) })));
  return { expected: pieces(one, new Set(common.map(([at]) => at))), got: pieces(other, new Set(common.map(([, at]) => at))) };
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
    const last = made.at(-1);
    if (last && last.isMarked === piece.isMarked) last.text += piece.text;
    else made.push({ ...piece });
  }
  return made;
}
