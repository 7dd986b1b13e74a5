// The list: a row for each question that the filters leave, a page at a time.
const PAGE_SIZE = 20;
const MOST_COLUMNS = 9; // of scores beside the question; with more of them each model's stand in a line
let found = [];
let page = 0;

function showFound() {
  offerScores();
  nameReference();
  found = sorted(matching());
  nameDownloads();
  page = 0;
  showPage();
}

function showPage() {
  const start = page * PAGE_SIZE;
  place("count").textContent = found.length
    ? `${found.length.toLocaleString("en")} of ${counted(questions.length, "question")}`
    : nothingFound();
  place("order-note").textContent = found.length > 1 ? orderText() : "";
  place("tools").hidden = !found.length;
  const columned = models.length * chosenCriteria().length <= MOST_COLUMNS;
  place("questions").className = columned ? "columned" : "";
  place("questions").style.setProperty("--columns", models.length);
  place("questions").style.setProperty("--criteria", chosenCriteria().length);
  place("questions").replaceChildren(columned && found.length ? headings() : "", ...found.slice(start, start + PAGE_SIZE).map(questionItem));
  showPages();
}

function nothingFound() {
  const [model, asked] = [chosen("model"), chosen("change")];
  if (asked && model === models[reference()]) return `No question matches: ${model} is compared with itself.`;
  return "No question matches; clear a filter to see more.";
}

// The models' and the criteria's names above the columns, for the eye: every row says them too.
function headings() {
  const names = chosenCriteria().map((at) => element("span", {}, criteria[at].name));
  const heads = models.map((model) => element("span", { class: "chip" }, element("b", {}, model), element("span", { class: "figures" }, names.map((name) => name.cloneNode(true)))));
  return element("div", { class: "headings", "aria-hidden": "true" }, element("span", {}, "question"), element("span", { class: "chips" }, heads));
}

function showPages() {
  const pages = Math.ceil(found.length / PAGE_SIZE);
  const turn = (by) => () => {
    page += by;
    showPage();
    goTo(place("questions"));
  };
  place("pages").hidden = pages < 2;
  place("pages").replaceChildren(
    element("button", { type: "button", disabled: page === 0, onclick: turn(-1) }, "Previous"),
    element("span", {}, `Page ${page + 1} of ${pages.toLocaleString("en")}`),
    element("button", { type: "button", disabled: page >= pages - 1, onclick: turn(1) }, "Next"),
  );
}

function questionItem(question) {
  const turns = special.turns(question) ? element("span", { class: "light" }, `${turnsText(question)} · `) : null;
  const title = element("span", { class: "asked", dir: "auto" }, turns, plain(question.instruction).slice(0, 240));
  const chips = models.map((model, at) => element("span", { class: "chip" }, element("span", { class: "name" }, `${model} `), figures(question, at), marks(question, at)));
  const item = element("details", { class: "question" }, element("summary", {}, title, " ", element("span", { class: "chips" }, chips)));
  item.dataset.id = question.id;
  item.redraw = () => {
    while (item.children.length > 1) item.lastChild.remove();
    if (item.open) item.append(questionBody(question));
  };
  item.addEventListener("toggle", () => {
    if (item.open && item.children.length === 1) item.redraw();
  });
  return item;
}

// What a reader should know of a model's answers before opening them; of several answers, of how many.
const MARKS = [
  ["# cut off", "cut off at the token limit", (answer) => answer.finish === "length"],
  ["# failed", "no answer came", (answer) => answer.finish === "error"],
  ["judge refused #", "the judge refused to score it", (answer) => answer.status === "refused"],
  ["# not scored", "the judge gave no usable reply", (answer) => answer.status === "truncated" || answer.status === "unreadable"],
];

function marks(question, model) {
  const answers = question.answers[model];
  return MARKS.flatMap(([words, meaning, has]) => {
    const count = answers.filter(has).length;
    if (!count) return [];
    const of = answers.length > 1 ? `${count} of ${answers.length}` : "";
    const title = of ? `${of} answers of ${models[model]} to this question (${severalText(question, answers.length)}): ${meaning}` : meaning;
    return [element("span", { class: "sign", title }, words.replace("#", of).trim()), " "];
  });
}

// Of what a model has several answers to a question.
function severalText(question, answers) {
  const turns = question.turns?.length ?? 1;
  if (turns === 1) return counted(answers, "sample");
  return answers === turns ? counted(turns, "turn") : `${counted(answers / turns, "sample")} of ${counted(turns, "turn")}`;
}

// How many turns a question has, and in which of them an answer is what the filters ask for.
function turnsText(question) {
  const [asked, all] = [askedOfModels(), `${question.turns.length} turns`];
  if (!asked.status && !asked.finish) return all;
  const answers = modelsMeant(question, asked).flatMap((model) => answersAsked(question, model, asked));
  const found = [...new Set(answers.map((answer) => answer.turn + 1))].sort((a, b) => a - b);
  return found.length ? `${all}, found in turn ${found.join(" and ")}` : all;
}

// A model's mean scores; a sign and a colour where one counts as better or worse than the other model's.
function figures(question, model) {
  const other = reference();
  const shown = chosenCriteria().map((at) => {
    const score = question.means[model][at];
    const way = direction(question, model, other, at);
    const differs = way === "better" || way === "worse";
    const figure = element(
      "span", { class: differs ? `figure ${way}` : "figure" },
      element("span", { class: "criterion" }, `${criteria[at].name} `),
      element("b", {}, scoreText(at, score)),
      differs ? element("span", { class: "way" }, element("span", { "aria-hidden": "true" }, way === "better" ? " ▲" : " ▼"), element("span", { class: "hidden" }, ` ${way}`)) : null,
    );
    return [figure, " "]; // where a line may end
  });
  return element("span", { class: "figures" }, shown);
}

// Opens a question, whatever the filters leave. Returns whether the page has it.
function openQuestion(id) {
  const question = questions.find((one) => one.id === id);
  if (!question) return false;
  if (!found.includes(question)) {
    clear();
    showFound();
  }
  page = Math.floor(found.indexOf(question) / PAGE_SIZE);
  showPage();
  const item = [...place("questions").children].find((one) => one.dataset.id === id);
  item.open = true;
  item.redraw();
  item.scrollIntoView({ block: "start" });
  item.firstElementChild.focus({ preventScroll: true });
  return true;
}
