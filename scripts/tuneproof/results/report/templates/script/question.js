// What an open question shows: the texts, every model's answers with what was said of them, and which words differ.
const reading = { raw: false };

// A question's or an answer's text, as Markdown unless raw text is asked for.
function written(text, kind = "") {
  if (reading.raw || plain(text).length > LONGEST_FORMATTED) return prose(text, kind);
  return element("div", { class: `prose formatted ${kind}`, dir: "auto" }, formatted(plain(text)), missing(text));
}

function questionBody(question) {
  const link = element("a", { href: addressOf({ question: question.id }) }, "Link to this question");
  const tags = question.tags.map((pair) => element("bdi", { class: "tag" }, pair.map(plain).join(": ")));
  const boxes = new Map(); // where each answer's text stands
  return element(
    "div", { class: "body" },
    element("p", { class: "meta" }, `No. ${question.number}, id `, element("bdi", {}, question.id), " ", tags, " ", link),
    question.turns ? conversationParts(question) : [
      element("h3", {}, "Question"), written(question.instruction),
      question.reference === null ? [] : [element("h3", {}, "Reference"), written(question.reference)],
    ],
    differenceControls(question, boxes),
    element("div", { class: "answers" }, models.map((model, at) => modelColumn(question, model, at, boxes))),
  );
}

// A conversation is read in the models' columns; here stands what is the same for all of them.
function conversationParts(question) {
  const references = question.references.map((text, turn) => [text, turn]).filter(([text]) => text !== null);
  const said = question.history.flatMap(([role, text]) => [element("h4", {}, plain(role)), written(text)]);
  return [
    ...(said.length ? [element("h3", {}, "Before the first turn"), ...said] : []),
    ...references.flatMap(([text, turn]) => [element("h3", {}, `Reference of turn ${turn + 1}`), written(text)]),
  ];
}

function modelColumn(question, model, at, boxes) {
  const answers = question.answers[at];
  const turns = question.turns?.length ?? 1;
  const samples = answers.length / turns;
  return element(
    "section", { class: "answer" },
    element("h3", {}, model, model === baseline && model !== "baseline" ? element("span", { class: "light" }, " baseline") : null),
    samples ? answers.map((answer, row) => answerParts(question, answer, Math.floor(row / turns), samples, boxes)) : [element("p", { class: "meta" }, "No answer.")],
    pairParts(question.pairs[at], samples, model),
    (question.opinions?.[at] ?? []).map((opinion) => opinionPart(opinion, model)),
  );
}

function answerParts(question, answer, sample, samples, boxes) {
  const box = element("div", { class: "written" }, written(answer.text));
  boxes.set(answer, box);
  const notes = [counted(answer.characters, "character")];
  if (answer.finish === "length") notes.push("cut off at the token limit");
  else if (answer.cut) notes.push("cut for the judge");
  const kind = sample || answer.turn ? "next" : ""; // not the first in its column
  return [
    samples > 1 && !answer.turn ? element("h4", { class: kind }, `Sample ${sample + 1} of ${samples}`) : null,
    ...(question.turns ? [element("h4", { class: answer.turn ? kind : "" }, `Turn ${answer.turn + 1} of ${question.turns.length}`), written(question.turns[answer.turn], "turn")] : []),
    element("p", { class: "scores" }, scoreParts(answer)),
    box,
    element("p", { class: "meta" }, notes.join(", ")),
    ...(answer.why ?? []).map((text) => prose(text, "why")),
    ...(answer.judges ?? []).flatMap((judge) => judgeParts(judge, answer.judges.length > 1)),
    ...checkParts(answer.checks ?? []),
    ...(answer.people ?? []).map(personPart),
  ];
}

function scoreParts(answer) {
  if (!answer.scores) return [element("span", { class: "score unscored" }, `not scored: ${answer.status.replace("_", " ")}`)];
  return judged.map((criterion, at) =>
    element("span", { class: "score" }, `${criterion.name} `, element("b", {}, scoreText(at, answer.scores[at])), ` of ${number(criterion.steps.at(-1))}`));
}

function judgeParts(judge, named) {
  return judged.map((criterion, at) => {
    const opening = `${named ? `${plain(judge.name)}, ` : ""}${criterion.name} ${scoreText(at, judge.scores[at])}`;
    if (!plain(judge.analyses[at])) return named ? element("p", { class: "meta" }, opening) : null;
    return element("div", { class: "analysis" }, element("h4", { dir: "auto" }, opening), prose(judge.analyses[at]));
  });
}

// What programs found: a score and, where there is one, the reason.
function checkParts(checks) {
  if (!checks.length) return [];
  const list = checks.map(([score, reason], at) => element("li", {},
    `${data.checks[at].name} `, element("b", {}, scoreText(judged.length + at, score)), " ", plain(reason) ? prose(reason) : null));
  return [element("div", { class: "checks" }, element("h4", {}, "Checks"), element("ul", {}, list))];
}

function personPart(person) {
  const scores = judged.map((criterion, at) => (person.scores[at] === null ? null : `${criterion.name} ${number(person.scores[at])}`));
  const opening = [plain(person.rater), ...scores.filter(Boolean)].join(", ");
  return element("div", { class: "analysis person" }, element("h4", { dir: "auto" }, opening), plain(person.note) ? prose(person.note) : null);
}

function opinionPart(opinion, model) {
  const preferred = opinion.preference === 0.5 ? "finds both alike" : `prefers ${opinion.preference > 0.5 ? model : baseline}`;
  return element("div", { class: "analysis person" }, element("h4", { dir: "auto" }, `${plain(opinion.rater)} ${preferred}`), plain(opinion.note) ? prose(opinion.note) : null);
}

function pairParts(pairs, samples, model) {
  if (!pairs.length) return [];
  const list = pairs.map((pair) => {
    const first = pair.order === "model_first" ? "shown first" : "shown second";
    const which = (pair.turn === undefined ? "" : `, turn ${pair.turn + 1}`) + (samples > 1 ? `, sample ${pair.sample + 1}` : "");
    return element("li", {}, element("b", {}, outcome(pair, model)), ` when ${first}${which}`, plain(pair.text) ? prose(pair.text) : null);
  });
  return [element("div", { class: "pairs" }, element("h4", {}, `Side by side with ${baseline}`), element("ul", {}, list))];
}

function outcome(pair, model) {
  if (pair.preference === null) return `not compared: ${pair.status.replace("_", " ")}`;
  const share = Math.round(100 * pair.preference);
  if (share === 50) return "a tie";
  const probability = share > 0 && share < 100 ? ` (the judge's probability that the answer of ${model} is better: ${share}%)` : "";
  return (share > 50 ? "preferred" : "not preferred") + probability;
}

// Two answers to choose, and the one switch that marks in both the words that the other lacks.
function differenceControls(question, boxes) {
  const turns = question.turns?.length ?? 1;
  const answers = question.answers.flatMap((of, model) => of.map((answer, row) => {
    const sample = of.length > turns ? `, sample ${Math.floor(row / turns) + 1}` : "";
    return { answer, model: models[model], name: `${models[model]}${sample}${answer.turn === undefined ? "" : `, turn ${answer.turn + 1}`}` };
  }));
  if (answers.length < 2) return null;
  const choose = (label, preferred) => {
    const at = answers.findIndex(({ model }) => model === preferred);
    return element("select", { "aria-label": label, onchange: mark }, answers.map(({ name }, value) => element("option", { value, selected: value === at }, name)));
  };
  const other = models[reference()];
  const first = choose("First answer", [chosen("model"), ...others, baseline].find((model) => model && model !== other));
  const second = choose("Second answer", other);
  const control = switchControl("Mark the words that differ", false, mark);
  const said = element("p", { class: "meta", role: "status" });
  function mark() {
    for (const [answer, box] of boxes) box.replaceChildren(written(answer.text));
    const pair = [answers[first.value], answers[second.value]];
    said.textContent = control.firstChild.checked ? markPair(pair, boxes) : "";
  }
  return element("div", { class: "differences" }, control, element("span", { class: "choice" }, first, " and ", second), said);
}

// Marks both answers. Returns what was found, in a sentence.
function markPair(pair, boxes) {
  if (pair[0] === pair[1]) return "Choose two different answers.";
  const { runs: both, alone, whole } = differing(...pair.map(({ answer }) => plain(answer.text)));
  pair.forEach(({ answer }, side) => {
    const marked = both[side].map(([text, isAlone]) => (isAlone ? element("mark", {}, text) : text));
    boxes.get(answer).replaceChildren(element("p", { class: "prose", dir: "auto" }, marked, missing(answer.text)));
  });
  const lacks = pair.map(({ name }, side) => `${name} has ${counted(alone[side], "word")} that ${pair[1 - side].name} lacks`);
  return `${lacks.join("; ")}.${whole ? "" : ` The first ${counted(LONGEST_COMPARED, "word")} of each were compared.`}`;
}

function switchControl(label, checked, onchange) {
  return element("label", { class: "switch" }, element("input", { type: "checkbox", role: "switch", checked, onchange }), ` ${label}`);
}
