// Which questions are shown, in which order. A control's name and its value are what the address has.
const filters = {};
const ANY = ["", "any"];
const STATUSES = {
  ok: "scored", unscored: "not scored", refused: "the judge refused", truncated: "judge's reply was cut off",
  unreadable: "judge's reply was unreadable", no_answer: "there is no answer", "not judged": "not judged",
};
const FINISHES = { stop: "finished", length: "at token limit", cut: "cut for the judge", error: "failed" };

const chosen = (name) => filters[name]?.value ?? "";
const chosenCriteria = () => (chosen("criterion") === "" ? allJudged : [criteria.findIndex((one) => one.name === chosen("criterion"))]);
const chosenModels = () => (chosen("model") === "" ? models.map((_, at) => at) : [models.indexOf(chosen("model"))]);
// The model that others are compared with: the baseline, or the one that is chosen.
const reference = () => models.indexOf(chosen("against") || baseline);
const tagName = (pair) => pair.map(plain).join(":");

function searchText(question) {
  question.search ??= [
    question.id, question.instruction, question.reference, ...(question.history ?? []).map((message) => message[1]),
    ...(question.turns ?? []), ...(question.references ?? []), ...question.answers.flat().map((answer) => answer.text),
  ].map(plain).join("\n").toLowerCase();
  return question.search;
}

// Whether the judge preferred one of a model's answers and the baseline's in one order, and not in the other.
function ordersDiffer(question, model) {
  const sides = question.pairs[model].map((pair) => pair.preference).filter((preference) => preference !== null);
  return new Set(sides.map((preference) => Math.sign(preference - 0.5))).size > 1;
}

const special = {
  disagree: (question) => chosenCriteria().some((at) => spread(question, at) > 0),
  orders: (question) => chosenModels().some((model) => ordersDiffer(question, model)),
  turns: (question) => (question.turns?.length ?? 1) > 1,
  people: (question) => question.answers.flat().some((answer) => answer.people) || question.opinions,
};

function hasStatus(answer, status) {
  if (status === "unscored") return !answer.scores && answer.status !== "see the last turn";
  return !status || answer.status === status;
}

function hasFinish(answer, finish) {
  return !finish || (finish === "cut" ? answer.cut : answer.finish === finish);
}

// What is asked of a model and of its answers.
const askedOfModels = () => ({
  show: chosen("show"), status: chosen("status"), finish: chosen("finish"), length: chosen("length"), score: chosen("score"),
  wanted: chosen("change"), other: reference(), at: chosenCriteria(),
});

// A model's answers to a question that were judged and ended as is asked.
const answersAsked = (question, model, { status, finish }) =>
  question.answers[model].filter((answer) => hasStatus(answer, status) && hasFinish(answer, finish));

// Everything that is asked of a model must hold for one and the same model.
function modelMatches(question, model, asked) {
  const { show, status, finish, length, score, wanted, other, at } = asked;
  if (show === "orders" && !ordersDiffer(question, model)) return false;
  if ((status || finish) && !answersAsked(question, model, asked).length) return false;
  if (length === "short" && question.characters[model] > short) return false;
  if (length === "long" && question.characters[model] < long) return false;
  if (wanted && (model === other || !went(question, model, other, wanted, at))) return false;
  if (!score) return true;
  return at.some((one) => question.means[model][one] !== null && nearestStep(criteria[one], question.means[model][one]) === Number(score));
}

// The models for which a question is listed: of the chosen one or of all those that have what is asked.
const modelsMeant = (question, asked) => chosenModels().filter((model) => modelMatches(question, model, asked));

function matching() {
  const words = chosen("search").toLowerCase().split(/\s+/).filter(Boolean);
  const [show, slice, asked] = [chosen("show"), chosen("slice"), askedOfModels()];
  return questions.filter((question) =>
    (!show || special[show](question)) &&
    (!slice || question.tags.some((pair) => tagName(pair) === slice)) &&
    modelsMeant(question, asked).length &&
    words.every((word) => searchText(question).includes(word)));
}

function field(control, name, label, kind = "") {
  Object.assign(control, { name, id: `filter-${name}` });
  filters[name] = control;
  return element("div", { class: `field ${kind}` }, element("label", { htmlFor: control.id }, label), control);
}

// Only scores that the chosen criteria can give are offered; without a choice those of the judge's criteria.
function offerScores() {
  const possible = new Set(chosenCriteria().flatMap((at) => criteria[at].steps).map(String));
  for (const option of filters.score.options) option.hidden = option.disabled = option.value !== "" && !possible.has(option.value);
}

// Every place that names the model that others are compared with.
function nameReference() {
  const name = models[reference()];
  for (const spot of document.querySelectorAll(".reference")) spot.textContent = name;
}

function select(name, label, options, kind = "") {
  return field(element("select", {}, ...options.map(([value, text]) => element("option", { value }, text))), name, label, kind);
}

function shows() {
  const found = [["", "all questions"], ["disagree", "models disagree"]];
  if (questions.some((question) => question.pairs.some((pairs) => pairs.length))) found.push(["orders", "preference differs by order"]);
  if (questions.some(special.turns)) found.push(["turns", "several turns"]);
  if (questions.some(special.people)) found.push(["people", "people rated an answer"]);
  return found;
}

function buildFilters() {
  const named = (names) => names.map((name) => [name, name]);
  const steps = [...new Set(criteria.flatMap((criterion) => criterion.steps))].sort((a, b) => a - b);
  const tags = [...new Map(questions.flatMap((question) => question.tags).map((pair) => [tagName(pair), pair.map(plain).join(": ")]))].sort();
  const characters = (count) => counted(count, "character");
  place("filters").append(
    field(element("input", { type: "search", autocomplete: "off" }), "search", "Search questions and answers", "wide"),
    select("model", "Model", [ANY, ...named(models)]),
    ...(others.length > 1 ? [select("against", "Compare with", [["", baseline], ...named(others)])] : []),
    ...(others.length ? [select("change", ["Against ", element("span", { class: "reference" })], [ANY, ...named(["worse", "better", "same"])])] : []),
    select("criterion", "Criterion", [ANY, ...named(criteria.map((criterion) => criterion.name))]),
    select("order", "Sort by", orders(), "long"),
    element("details", { class: "more" }, element("summary", {}, "More filters"), element("div", { class: "filters" },
      select("show", "Show", shows()),
      select("status", "Judged", [ANY, ...Object.entries(STATUSES)]),
      select("finish", "Answer ended", [ANY, ...Object.entries(FINISHES)]),
      select("score", "Score", [ANY, ...steps.map((step) => [step, number(step)])]),
      select("length", "Answer length", [ANY, ["short", `shortest, to ${characters(short)}`], ["long", `longest, from ${characters(long)}`]]),
      ...(tags.length ? [select("slice", "Kind of question", [ANY, ...tags])] : []))),
    element("button", { type: "button", onclick: () => { clear(); update(); } }, "Clear"),
  );
  place("filters").hidden = false;
}

function clear() {
  for (const control of Object.values(filters)) control.value = "";
}
