// Which words of two texts the other one lacks.
const LONGEST_COMPARED = 5_000; // words of a text: the table below has a cell for each pair of words
const WORD = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]|[\p{L}\p{M}\p{N}_'’]+(?:[.,]\p{N}+)*|\s+|[^]/gu;
const isSpace = (token) => /^\s/.test(token);

// Both texts as runs [text, whether the other lacks it], how many words each has alone, and whether all were compared.
function differing(first, second) {
  const texts = [first, second].map((text) => text.match(WORD) ?? []);
  const words = texts.map((tokens) => tokens.filter((token) => !isSpace(token)).slice(0, LONGEST_COMPARED));
  const shared = sharedWords(...words);
  return {
    runs: texts.map((tokens, side) => runs(tokens, shared[side])),
    alone: words.map((of, side) => of.filter((word, at) => !shared[side][at] && /[\p{L}\p{N}]/u.test(word)).length),
    whole: texts.every((tokens, side) => words[side].length < LONGEST_COMPARED),
  };
}

// Of each word whether it belongs to the longest common subsequence. Equal ends are taken first: mostly there are any.
function sharedWords(first, second) {
  let [start, ends] = [0, [first.length, second.length]];
  while (start < Math.min(...ends) && first[start] === second[start]) start += 1;
  while (Math.min(...ends) > start && first[ends[0] - 1] === second[ends[1] - 1]) ends = ends.map((end) => end - 1);
  const shared = [first, second].map((words, side) => words.map((_, at) => at < start || at >= ends[side]));
  const [ours, theirs] = [first.slice(start, ends[0]), second.slice(start, ends[1])];
  const width = theirs.length + 1;
  const longest = commonLengths(ours, theirs);
  for (let i = 0, j = 0; i < ours.length && j < theirs.length; ) {
    if (ours[i] === theirs[j]) shared[0][start + i++] = shared[1][start + j++] = true;
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return shared;
}

// For every pair of places how many words the two rests have in common, row after row.
function commonLengths(ours, theirs) {
  const width = theirs.length + 1;
  const numbers = new Map();
  const [left, right] = [ours, theirs].map((words) => Int32Array.from(words, (word) => {
    if (!numbers.has(word)) numbers.set(word, numbers.size);
    return numbers.get(word);
  }));
  const lengths = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1, cell = i * width + j; j >= 0; j -= 1, cell -= 1) {
      if (left[i] === right[j]) lengths[cell] = lengths[cell + width + 1] + 1;
      else lengths[cell] = Math.max(lengths[cell + width], lengths[cell + 1]);
    }
  }
  return lengths;
}

// Tokens put together again. A space belongs to the words on both its sides, where both are alone; so do all tokens
// beyond the longest text that is compared belong to no side.
function runs(tokens, shared) {
  const made = [];
  let word = 0;
  const isAlone = (at) => at < shared.length && !shared[at];
  for (const token of tokens) {
    const alone = isSpace(token) ? word > 0 && isAlone(word - 1) && isAlone(word) : isAlone(word);
    if (!isSpace(token)) word += 1;
    if (made.length && made.at(-1)[1] === alone) made.at(-1)[0] += token;
    else made.push([token, alone]);
  }
  return made;
}
