"use strict";
// The answer browser. Everything in the data is text that others wrote: it reaches the page as text nodes only.
(() => {
  const PAGE_SIZE = 20;
  const data = JSON.parse(document.getElementById("data").textContent);
  const { models, baseline, criteria, questions } = data;
  const others = models.filter((model) => model !== baseline);
  const place = (id) => document.getElementById(id);
  const filters = {};
  let found = [];
  let page = 0;

  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name === "class") made.className = value;
      else if (name === "dir" || name.startsWith("aria-")) made.setAttribute(name, value);
      else made[name] = value;
    }
    made.append(...children.filter((child) => child !== null && child !== ""));
    return made;
  }

  // A text that was too long for the page is a pair: its beginning, and how many characters are missing.
  const plain = (text) => (Array.isArray(text) ? text[0] : text ?? "");

  function prose(text, kind = "") {
    const shown = element("p", { class: `prose ${kind}`, dir: "auto" }, plain(text));
    if (Array.isArray(text)) shown.append(element("em", { class: "cut" }, ` … ${text[1].toLocaleString("en")} more characters`));
    return shown;
  }

  const number = (value) => String(Math.round(value * 100) / 100);
  const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);

  // Numbers that filters and orders ask for again and again, computed once.
  for (const question of questions) {
    question.means = question.answers.map((samples) => {
      const scored = samples.map((answer) => answer.scores).filter(Boolean);
      return scored.length ? criteria.map((_, at) => mean(scored.map((scores) => scores[at]))) : null;
    });
    question.characters = question.answers.map((samples) => mean(samples.map((answer) => answer.characters)) ?? 0);
  }
  const lengths = questions.flatMap((question) => question.characters).sort((a, b) => a - b);
  const short = Math.round(lengths[Math.floor(lengths.length / 5)] ?? 0);
  const long = Math.round(lengths[Math.floor((lengths.length * 4) / 5)] ?? 0);

  function searchText(question) {
    question.search ??= [
      question.id, plain(question.instruction), plain(question.reference),
      ...(question.history ?? []).map((message) => plain(message[1])), ...[...(question.turns ?? []), ...(question.references ?? [])].map(plain),
      ...question.answers.flat().map((answer) => plain(answer.text)),
    ].join("\n").toLowerCase();
    return question.search;
  }

  function nearestStep(criterion, score) {
    return criterion.steps.reduce((best, step) => (Math.abs(step - score) < Math.abs(best - score) ? step : best));
  }

  const chosenCriteria = () => (filters.criterion.value === "" ? criteria.map((_, at) => at) : [Number(filters.criterion.value)]);
  const chosenModels = () => (filters.model.value === "" ? models.map((_, at) => at) : [Number(filters.model.value)]);

  const special = {
    disagree: (question) => chosenCriteria().some((at) => question.spreads[at] > 0),
    unscored: (question) => chosenModels().some((model) => question.answers[model].some((answer) => !answer.scores)),
    cut: (question) => chosenModels().some((model) => question.answers[model].some((answer) => answer.cut || answer.finish === "length")),
    orders: (question) => chosenModels().some((model) => {
      const sides = question.pairs[model].map((pair) => pair.preference).filter((preference) => preference !== null);
      return new Set(sides.map((preference) => Math.sign(preference - 0.5))).size > 1;
    }),
  };

  function matches(question, words) {
    const { show, score, length, tag } = filters;
    if (show.value && !special[show.value](question)) return false;
    if (tag?.value && !question.tags.some((pair) => JSON.stringify(pair) === tag.value)) return false;
    if (score.value || length.value) {
      const asked = chosenModels().some((model) => {
        const characters = question.characters[model];
        if (length.value === "short" && characters > short) return false;
        if (length.value === "long" && characters < long) return false;
        if (!score.value) return true;
        const means = question.means[model];
        return means && chosenCriteria().some((at) => nearestStep(criteria[at], means[at]) === Number(score.value));
      });
      if (!asked) return false;
    }
    return words.every((word) => searchText(question).includes(word));
  }

  function gain(question, model) {
    const [ours, theirs] = [question.means[models.indexOf(model)], question.means[models.indexOf(baseline)]];
    if (!ours || !theirs) return null;
    return mean(chosenCriteria().map((at) => (ours[at] - theirs[at]) / (criteria[at].steps.at(-1) - criteria[at].steps[0])));
  }

  function sorted(list) {
    const [order, model] = filters.sort.value.split(":");
    const change = (question, sign) => {
      const value = gain(question, model);
      return value === null ? Infinity : sign * value;
    };
    const value = {
      disagreement: (question) => -chosenCriteria().reduce((sum, at) => sum + question.spreads[at], 0),
      number: (question) => question.number,
      longest: (question) => -Math.max(...question.characters),
      gain: (question) => change(question, -1),
      loss: (question) => change(question, 1),
    }[order];
    const keys = new Map(list.map((question) => [question, value(question)]));
    return list.sort((a, b) => keys.get(a) - keys.get(b) || a.number - b.number);
  }

  function select(name, label, options) {
    const control = element("select", { name, id: `filter-${name}` });
    for (const [value, text] of options) control.append(element("option", { value }, text));
    filters[name] = control;
    return element("div", { class: "field" }, element("label", { htmlFor: control.id }, label), control);
  }

  function buildFilters() {
    const search = element("input", { type: "search", name: "search", id: "filter-search", autocomplete: "off" });
    filters.search = search;
    const steps = [...new Set(criteria.flatMap((criterion) => criterion.steps))].sort((a, b) => a - b);
    const tags = new Map(questions.flatMap((question) => question.tags).map((pair) => [JSON.stringify(pair), pair]));
    const paired = questions.some((question) => question.pairs.some((pairs) => pairs.length));
    const shows = [["", "all questions"], ["disagree", "models disagree"], ["unscored", "an answer is unscored"], ["cut", "an answer was cut off"]];
    if (paired) shows.push(["orders", "preference changes with the order"]);
    place("filters").append(
      element("div", { class: "field wide" }, element("label", { htmlFor: search.id }, "Search questions and answers"), search),
      select("show", "Show", shows),
      select("criterion", "Criterion", [["", "any"], ...criteria.map((criterion, at) => [at, criterion.name])]),
      select("model", "Model", [["", "any"], ...models.map((model, at) => [at, model])]),
      select("score", "Score", [["", "any"], ...steps.map((step) => [step, number(step)])]),
      select("length", "Answer length", [["", "any"], ["short", `shortest fifth, up to ${short.toLocaleString("en")} characters`], ["long", `longest fifth, from ${long.toLocaleString("en")} characters`]]),
      ...(tags.size ? [select("tag", "Tag", [["", "any"], ...[...tags].sort().map(([key, pair]) => [key, pair.map(plain).join(": ")])])] : []),
      select("sort", "Sort by", [
        ["disagreement", "most disagreement"], ["number", "order of the questions"], ["longest", "longest answer"],
        ...others.flatMap((model) => [[`gain:${model}`, `largest gain of ${model}`], [`loss:${model}`, `largest loss of ${model}`]]),
      ]),
      element("button", { type: "button", onclick: clear }, "Clear"),
    );
    place("filters").hidden = false;
  }

  function clear() {
    for (const control of Object.values(filters)) control.value = control.options ? control.options[0].value : "";
    update();
  }

  function update() {
    const words = filters.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = sorted(questions.filter((question) => matches(question, words)));
    page = 0;
    showPage();
  }

  function showPage() {
    const start = page * PAGE_SIZE;
    const shown = found.slice(start, start + PAGE_SIZE);
    const order = criteria.map((criterion) => criterion.name).join(" · ");
    place("count").textContent = found.length
      ? `${found.length.toLocaleString("en")} of ${questions.length.toLocaleString("en")} questions; scores are ${order}`
      : "No question matches; clear a filter to see more.";
    place("questions").replaceChildren(...shown.map(questionItem));
    showPages();
  }

  function showPages() {
    const pages = Math.ceil(found.length / PAGE_SIZE);
    const turn = (by) => () => {
      page += by;
      showPage();
      place("questions").focus();
      place("questions").scrollIntoView({ block: "start" });
    };
    place("pages").hidden = pages < 2;
    place("pages").replaceChildren(
      element("button", { type: "button", disabled: page === 0, onclick: turn(-1) }, "Previous"),
      element("span", {}, `Page ${page + 1} of ${pages.toLocaleString("en")}`),
      element("button", { type: "button", disabled: page >= pages - 1, onclick: turn(1) }, "Next"),
    );
  }

  function questionItem(question) {
    const chips = models.map((model, at) => {
      const scores = question.means[at] ? question.means[at].map(number).join(" · ") : "–";
      return element("span", { class: "chip" }, element("span", {}, model), " ", element("b", {}, scores));
    });
    const title = element("span", { class: "asked", dir: "auto" }, plain(question.instruction).slice(0, 240));
    const item = element(
      "details", { class: "question" },
      element("summary", {}, title, " ", element("span", { class: "chips" }, ...chips)),
    );
    item.dataset.id = question.id;
    item.addEventListener("toggle", () => {
      if (item.open && item.children.length === 1) item.append(questionBody(question));
    });
    return item;
  }

  function questionBody(question) {
    const link = element("a", { href: `#q=${encodeURIComponent(question.id)}` }, "Link to this question");
    const tags = question.tags.map((pair) => element("bdi", { class: "tag" }, pair.map(plain).join(": ")));
    return element(
      "div", { class: "body" },
      element("p", { class: "meta" }, `No. ${question.number}, id `, element("bdi", {}, question.id), " ", ...tags, " ", link),
      ...(question.turns ? conversationParts(question) : [
        element("h3", {}, "Question"), prose(question.instruction),
        ...(question.reference === null ? [] : [element("h3", {}, "Reference"), prose(question.reference)]),
      ]),
      element("div", { class: "answers" }, ...models.map((model, at) => modelColumn(question, model, at))),
    );
  }

  // A conversation is read in the models' columns; here stands what is the same for all of them.
  function conversationParts(question) {
    const references = question.references.map((text, turn) => [text, turn]).filter(([text]) => text !== null);
    const said = question.history.flatMap(([role, text]) => [element("h4", {}, plain(role)), prose(text)]);
    return [
      ...(said.length ? [element("h3", {}, "Before the first turn"), ...said] : []),
      ...references.flatMap(([text, turn]) => [element("h3", {}, `Reference of turn ${turn + 1}`), prose(text)]),
    ];
  }

  function modelColumn(question, model, at) {
    const answers = question.answers[at];
    const turns = question.turns?.length ?? 1;
    const samples = answers.length / turns;
    return element(
      "section", { class: "answer" },
      element("h3", {}, model, model === baseline ? element("span", { class: "light" }, " baseline") : null),
      ...(samples ? answers.flatMap((answer, row) => answerParts(question, answer, Math.floor(row / turns), samples)) : [element("p", { class: "meta" }, "No answer.")]),
      ...pairParts(question.pairs[at], samples),
    );
  }

  function answerParts(question, answer, sample, samples) {
    const scores = answer.scores
      ? criteria.map((criterion, at) => element("span", { class: "score" }, `${criterion.name} `, element("b", {}, number(answer.scores[at])), ` of ${number(criterion.steps.at(-1))}`))
      : [element("span", { class: "score unscored" }, `not scored: ${answer.status.replace("_", " ")}`)];
    const notes = [`${answer.characters.toLocaleString("en")} characters`];
    if (answer.finish === "length") notes.push("cut off at the token limit");
    else if (answer.cut) notes.push("cut for the judge");
    return [
      samples > 1 && !answer.turn ? element("h4", {}, `Sample ${sample + 1} of ${samples}`) : null,
      ...(question.turns ? [element("h4", {}, `Turn ${answer.turn + 1} of ${question.turns.length}`), prose(question.turns[answer.turn], "turn")] : []),
      element("p", { class: "scores" }, ...scores),
      prose(answer.text, "written"),
      element("p", { class: "meta" }, notes.join(", ")),
      ...(answer.why ?? []).map((text) => prose(text, "why")),
      ...(answer.judges ?? []).flatMap((judge) => judgeParts(judge, answer.judges.length > 1)),
    ].filter(Boolean);
  }

  function judgeParts(judge, named) {
    return criteria.map((criterion, at) => {
      const opening = `${named ? `${plain(judge.name)}, ` : ""}${criterion.name} ${number(judge.scores[at])}`;
      if (!plain(judge.analyses[at])) return named ? element("p", { class: "meta" }, opening) : null;
      return element("div", { class: "analysis" }, element("h4", { dir: "auto" }, opening), prose(judge.analyses[at]));
    }).filter(Boolean);
  }

  function pairParts(pairs, samples) {
    if (!pairs.length) return [];
    const list = pairs.map((pair) => {
      const first = pair.order === "model_first" ? "shown first" : "shown second";
      const which = (pair.turn === undefined ? "" : `, turn ${pair.turn + 1}`) + (samples > 1 ? `, sample ${pair.sample + 1}` : "");
      return element("li", {}, element("b", {}, outcome(pair)), ` when ${first}${which}`, plain(pair.text) ? prose(pair.text) : null);
    });
    return [element("div", { class: "pairs" }, element("h4", {}, `Side by side with ${baseline}`), element("ul", {}, ...list))];
  }

  function outcome(pair) {
    if (pair.preference === null) return `not compared: ${pair.status.replace("_", " ")}`;
    const share = pair.preference > 0 && pair.preference < 1 && pair.preference !== 0.5 ? ` (${Math.round(100 * pair.preference)} %)` : "";
    return (pair.preference > 0.5 ? "preferred" : pair.preference < 0.5 ? "not preferred" : "a tie") + share;
  }

  function followLink() {
    if (!location.hash.startsWith("#q=")) return;
    let id;
    try {
      id = decodeURIComponent(location.hash.slice(3));
    } catch {
      id = location.hash.slice(3);
    }
    const question = questions.find((one) => one.id === id);
    if (!question) {
      place("count").textContent = `There is no question ${id} on this page.`;
      place("answers").scrollIntoView();
      return;
    }
    if (!found.includes(question)) clear();
    page = Math.floor(found.indexOf(question) / PAGE_SIZE);
    showPage();
    const item = [...place("questions").children].find((one) => one.dataset.id === id);
    item.open = true;
    item.scrollIntoView({ block: "start" });
    item.firstElementChild.focus({ preventScroll: true });
  }

  buildFilters();
  place("filters").addEventListener("input", update);
  place("filters").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", followLink);
  update();
  followLink();
})();
