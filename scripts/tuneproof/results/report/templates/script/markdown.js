// Markdown as elements that this file names and text nodes: no markup of the text's own, no links to follow, no images,
// nothing that is fetched. Headings are paragraphs, so that no text can add to the page's outline. No pattern here takes
// much longer than in proportion to the text, whatever it holds.
const MOST_NESTING = 5;
const LONGEST_FORMATTED = 50_000; // characters; a longer text is shown raw
const LONGEST_EMPHASIS = 1_000;
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6}) +(.+)$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)]) +(?=\S)/;
const TOKEN = /\\[!-/:-@[-`{-~]|`+|!?\[|\*\*|__|~~|\*|_/g;
const LINK = /\[([^[\]\n]{1,500})\]\(([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)(?: +"[^"\n]*")?\)/y;
const EMPHASIS = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };

function formatted(text) {
  return blocks(text.replaceAll("\t", "    ").split("\n"), 0);
}

function blocks(lines, depth) {
  const made = [];
  let paragraph = [];
  const endParagraph = () => {
    if (paragraph.length) made.push(element("p", { dir: "auto" }, inline(paragraph.join("\n"))));
    paragraph = [];
  };
  for (let at = 0; at < lines.length; ) {
    const block = lines[at].trim() === "" ? { next: at + 1 } : blockAt(lines, at, depth, paragraph.length > 0);
    if (!block) paragraph.push(lines[at]);
    else endParagraph();
    if (block?.made) made.push(block.made);
    at = block ? block.next : at + 1;
  }
  endParagraph();
  return made;
}

// The block that begins in a line, and the line after it; null where the line is a paragraph's.
function blockAt(lines, at, depth, inParagraph) {
  const line = lines[at];
  const heading = HEADING.exec(line);
  if (heading) return { made: element("p", { class: `heading level-${heading[1].length}`, dir: "auto" }, inline(heading[2])), next: at + 1 };
  if (FENCE.test(line)) return codeAt(lines, at);
  if (RULE.test(line)) return { made: element("hr"), next: at + 1 };
  if (line.includes("|") && at + 1 < lines.length) {
    const table = tableAt(lines, at);
    if (table) return table;
  }
  if (depth >= MOST_NESTING) return null;
  if (QUOTE.test(line)) {
    const next = firstFrom(lines, at, (one) => !QUOTE.test(one));
    return { made: element("blockquote", {}, blocks(lines.slice(at, next).map((one) => one.replace(QUOTE, "")), depth + 1)), next };
  }
  const item = ITEM.exec(line);
  const interrupts = item && (!inParagraph || !/\d/.test(item[2]) || parseInt(item[2], 10) === 1);
  return interrupts ? listAt(lines, at, depth) : null;
}

function firstFrom(lines, start, stops) {
  let at = start;
  while (at < lines.length && !stops(lines[at])) at += 1;
  return at;
}

function codeAt(lines, at) {
  const [, fence, language] = FENCE.exec(lines[at]);
  const closes = (line) => line.trim().length >= fence.length && line.trim() === fence[0].repeat(line.trim().length);
  const end = firstFrom(lines, at + 1, closes);
  const indent = lines[at].search(/\S/);
  const code = lines.slice(at + 1, end).map((line) => line.slice(Math.min(indent, leading(line)))).join("\n");
  const label = language.trim() ? element("span", { class: "language" }, language.trim().slice(0, 40)) : null;
  return { made: element("pre", { dir: "ltr" }, label, element("code", {}, code)), next: end + 1 };
}

const leading = (line) => line.length - line.trimStart().length;

function listAt(lines, start, depth) {
  const [, indent, marker] = ITEM.exec(lines[start]);
  const isOrdered = (one) => /\d/.test(one);
  const list = element(isOrdered(marker) ? "ol" : "ul");
  if (isOrdered(marker) && parseInt(marker, 10) !== 1) list.start = parseInt(marker, 10);
  let at = start;
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[1].length > indent.length + 1 || item[1].length < indent.length || isOrdered(item[2]) !== isOrdered(marker)) break;
    const end = endOfItem(lines, at + 1, indent.length);
    const own = lines.slice(at + 1, end).map((line) => line.slice(Math.min(leading(line), item[0].length)));
    list.append(element("li", { dir: "auto" }, blocks([lines[at].slice(item[0].length), ...own], depth + 1)));
    const following = firstFrom(lines, end, (line) => line.trim() !== "");
    at = following < lines.length && ITEM.test(lines[following]) ? following : end;
  }
  return { made: list, next: at };
}

// An item goes on in the lines that are indented further than its marker, blank ones between them among these.
function endOfItem(lines, start, indent) {
  let end = start;
  for (let at = start; at < lines.length; at += 1) {
    if (lines[at].trim() === "") continue;
    if (leading(lines[at]) <= indent) break;
    end = at + 1;
  }
  return end;
}

function tableAt(lines, at) {
  const heads = cells(lines[at]);
  const rules = cells(lines[at + 1]);
  if (!lines[at + 1].includes("-") || heads.length !== rules.length || !rules.every((cell) => /^:?-+:?$/.test(cell))) return null;
  const next = firstFrom(lines, at + 2, (line) => line.trim() === "" || !line.includes("|"));
  const row = (tag, texts) => element("tr", {}, texts.map((text) => element(tag, { dir: "auto" }, inline(text))));
  const rows = lines.slice(at + 2, next).map((line) => row("td", cells(line)));
  return { made: element("table", {}, element("thead", {}, row("th", heads)), element("tbody", {}, rows)), next };
}

function cells(line) {
  const trimmed = line.trim();
  return trimmed.slice(trimmed.startsWith("|") ? 1 : 0, trimmed.endsWith("|") ? -1 : undefined).split("|").map((cell) => cell.trim());
}

// Texts and elements of a line or paragraph.
function inline(text, depth = 0) {
  const made = [];
  const token = new RegExp(TOKEN);
  let start = 0;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const part = depth < MOST_NESTING ? inlineAt(text, found.index, found[0], depth) : null;
    if (!part) continue;
    made.push(text.slice(start, found.index), ...part.made);
    start = token.lastIndex = part.end;
  }
  made.push(text.slice(start));
  return made;
}

// What begins with a token, and where it ends; null where the token is a character like any other.
function inlineAt(text, at, token, depth) {
  const after = at + token.length;
  if (token[0] === "\\") return { made: [token[1]], end: after };
  if (token[0] === "`") {
    const end = endOfCode(text, after, token);
    return end < 0 ? null : { made: [element("code", {}, text.slice(after, end))], end: end + token.length };
  }
  if (token[0] === "!") return null; // an image stays the text that it is
  if (token === "[") return text[at - 1] === "!" ? null : linkAt(text, at, depth);
  const end = endOfEmphasis(text, at, token);
  return end < 0 ? null : { made: [element(EMPHASIS[token], {}, inline(text.slice(after, end), depth + 1))], end: end + token.length };
}

function endOfCode(text, start, fence) {
  for (let at = text.indexOf(fence, start); at >= 0; ) {
    let end = at;
    while (text[end] === "`") end += 1;
    if (end - at === fence.length) return at;
    at = text.indexOf(fence, end);
  }
  return -1;
}

// The label, and the address as text: nothing here can be followed.
function linkAt(text, at, depth) {
  LINK.lastIndex = at;
  const found = LINK.exec(text);
  if (!found) return null;
  const [whole, label, address] = found;
  return { made: [...inline(label, depth + 1), element("span", { class: "address" }, `(${address})`)], end: at + whole.length };
}

// The next same token ends it, where no space stands inside next to either of the two; else it is none.
function endOfEmphasis(text, at, token) {
  const start = at + token.length;
  const isWord = (character) => character !== undefined && /[\p{L}\p{N}_]/u.test(character);
  if (start >= text.length || /\s/.test(text[start]) || (token[0] === "_" && isWord(text[at - 1]))) return -1;
  const inside = text.slice(start, start + LONGEST_EMPHASIS);
  let length = inside.indexOf(token);
  while (token.length === 1 && length >= 0 && inside[length + 1] === token) {
    while (inside[length] === token) length += 1;
    length = inside.indexOf(token, length);
  }
  if (token.length === 2 && inside[length + 2] === token[0]) length += 1;
  if (length <= 0 || /\s/.test(inside[length - 1]) || (token[0] === "_" && isWord(text[start + length + token.length]))) return -1;
  return start + length;
}
