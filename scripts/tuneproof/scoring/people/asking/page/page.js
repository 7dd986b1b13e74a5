"use strict";
// Every text from a dataset, a model or params.yaml goes onto the page as textContent, never as markup.

const SECONDS_BETWEEN_TRIES = 1, NOTE_REST_SECONDS = 0.5;
const OUTCOMES = [["1", "left", "Left is better"], ["2", "tie", "Neither is better"], ["3", "right", "Right is better"]];
const token = new URLSearchParams(location.search).get("token") || "";
const at = (id) => document.getElementById(id);
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

let work = null;        // what the server said of everything
let place = -1;         // of the item on the page, in work.items
let item = null;        // the item on the page
let active = 0;         // the criterion that a key is for
let passing = "open";   // "skipped": the rater goes through the skipped ones
let waiting = Promise.resolve();  // what was asked for comes one after the other
let failing = false;
let revising = false;   // the item was rated before: every criterion is gone through again
let noteTimer = 0;
let spent = 0, since = 0;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// ---- the server

async function ask(path, body) {
  const options = { headers: { Authorization: `Bearer ${token}` } };
  if (body !== undefined) Object.assign(options, { method: "PUT", body: JSON.stringify(body) });
  const response = await fetch(`/api/${path}`, options);
  const value = await response.json();
  if (!response.ok) throw new Refused(value.error, response.status);
  return value;
}

class Refused extends Error {
  constructor(text, status) { super(text); this.final = status === 403; }
}

// Tries until the server has it: no rating is taken for saved before the server says so.
async function insist(path, body) {
  for (;;) {
    try {
      const value = await ask(path, body);
      trouble("");
      failing = false;
      return value;
    } catch (error) {
      failing = true;
      const why = error instanceof Refused ? error.message : "the server does not answer; it is tried again every second";
      trouble(`${body === undefined ? "Not loaded" : "Not saved"}: ${why}.`);
      if (error.final) await new Promise(() => {});
      await sleep(SECONDS_BETWEEN_TRIES);
    }
  }
}

function trouble(text) {
  at("trouble").hidden = !text;
  if (at("trouble").textContent !== text) at("trouble").textContent = text;
}

// ---- time that the page was looked at

function restart() { spent = 0; since = document.hidden ? 0 : performance.now(); }
function elapsed() { return (spent + (since ? performance.now() - since : 0)) / 1000; }
document.addEventListener("visibilitychange", () => {
  if (document.hidden && since) { spent += performance.now() - since; since = 0; }
  else if (!document.hidden && !since) since = performance.now();
});

// ---- which item comes next

function following(from, wanted) {
  const count = work.items.length;
  for (let step = 1; step <= count; step++) {
    const index = (from + step) % count;
    if (wanted.includes(work.items[index].state)) return index;
  }
  return -1;
}

async function goOn() {
  const wanted = passing === "open" ? ["open", "partly"] : ["open", "partly", "skipped"];
  for (;;) {
    const index = following(place, wanted);
    if (index < 0 || (passing === "skipped" && index <= place)) return finish();
    if (await show(index)) return;
  }
}

async function show(index) {
  const found = await insist(`items/${work.items[index].key}`);
  work.items[index].state = found.state;
  if (found.state === "taken") return false;
  place = index;
  item = found;
  revising = item.state === "rated";
  active = item.kind === "answer" && !revising ? Math.max(work.criteria.findIndex((one) => !(one.name in (item.scores || {}))), 0) : 0;
  restart();
  draw();
  return true;
}

function finish() {
  item = null;
  at("item").hidden = true;
  at("done").hidden = false;
  const skipped = work.items.filter((one) => one.state === "skipped").length;
  const rated = work.items.filter((one) => one.state === "rated").length;
  at("done-title").textContent = rated + skipped ? "All done. Thank you." : "There is nothing to rate.";
  at("done-text").textContent = `${counted(rated, "rating")} saved${skipped ? `, ${skipped} skipped` : ""}. You can close this page.`;
  at("again").hidden = !skipped;
  counts();
  at("done").focus();
}

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

// ---- drawing

function counts() {
  const states = work.items.map((one) => one.state);
  const rated = states.filter((one) => one === "rated").length, skipped = states.filter((one) => one === "skipped").length;
  const all = states.filter((one) => one !== "taken").length;
  at("counts").textContent = `${rated} of ${all} rated${skipped ? `, ${skipped} skipped` : ""}`;
  at("progress").max = Math.max(all, 1);
  at("progress").value = rated + skipped;
}

function draw() {
  at("item").hidden = false;
  at("done").hidden = true;
  at("question").textContent = item.question;
  at("reference").hidden = item.reference === null;
  at("reference").open = false;
  at("reference").querySelector(".prose").textContent = item.reference || "";
  const names = item.kind === "pair" ? ["Left", "Right"] : ["Answer"];
  at("answers").replaceChildren(...item.answers.map((text, index) => {
    const section = element("section", "answer");
    section.setAttribute("aria-label", names[index]);
    section.append(element("h2", "", names[index]), element("p", "prose", text));
    return section;
  }));
  at("note").value = item.note || "";
  drawRating();
  window.scrollTo(0, 0);
  at("question-title").focus({ preventScroll: true });
}

function drawRating() {
  const fields = item.kind === "pair"
    ? [field("Which is better?", work.preference, OUTCOMES.map(([key, outcome, words]) =>
        step(key, "", words, item.outcome === outcome, () => press(key))), 0)]
    : work.criteria.map((criterion, index) => field(criterion.name, criterion.question, criterion.steps.map((one) =>
        step(one.key, String(one.value), one.meaning, (item.scores || {})[criterion.name] === one.value, () => act(() => score(index, one.value)))), index));
  const within = at("criteria").contains(document.activeElement);
  at("criteria").replaceChildren(...fields);
  if (within) at("criteria").querySelector("fieldset.active button").focus();
  at("skip").querySelector("span").textContent = work.items[place].state === "rated" ? "On" : "Skip";
  at("previous").disabled = earlier() < 0;
  counts();
}

function field(name, question, buttons, index) {
  const made = element("fieldset", index === active ? "active" : "");
  const legend = element("legend"), steps = element("div", "steps");
  made.addEventListener("focusin", () => {
    active = index;
    for (const one of at("criteria").children) one.className = one === made ? "active" : "";
  });
  legend.append(element("b", "", name), element("span", "", question));
  steps.append(...buttons);
  made.append(legend, steps);
  return made;
}

function step(key, value, meaning, pressed, choose) {
  const button = element("button"), words = element("span", "meaning");
  button.type = "button";
  button.setAttribute("aria-pressed", String(pressed));
  if (value && value !== key) words.append(element("b", "", value));
  words.append(meaning);
  button.append(element("kbd", "", key || "–"), words);
  button.addEventListener("click", choose);
  return button;
}

// ---- what a rater does

// Runs after what came before it. What is said of an item that is gone from the page by then is said of nothing.
function act(what, ofAny = false) {
  const pressedOn = item;
  if (failing) return;
  waiting = waiting.then(() => (item && (ofAny || item === pressedOn) ? what() : undefined));
}

async function save(changes, words) {
  clearTimeout(noteTimer);
  Object.assign(item, changes, { note: at("note").value || null });
  const seconds = elapsed();
  restart();
  const body = { scores: item.scores, outcome: item.outcome, note: item.note, seconds };
  const { state } = await insist(`items/${work.items[place].key}`, body);
  work.items[place].state = state;
  at("status").textContent = words;
  return state;
}

async function score(index, value) {
  const criterion = work.criteria[index];
  await save({ scores: { ...item.scores, [criterion.name]: value } }, `${criterion.name}: ${value}, saved`);
  const left = work.criteria.findIndex((one, other) => other !== index && !(one.name in item.scores));
  active = revising ? index + 1 : left;
  if (active < 0 || active >= work.criteria.length) return goOn();
  drawRating();
}

async function prefer(outcome, words) {
  await save({ outcome }, `${words}, saved`);
  return goOn();
}

async function skip() {
  if (work.items[place].state === "open") await save({}, "Skipped");
  return goOn();
}

function earlier() {
  let index = place - 1;
  while (index >= 0 && work.items[index].state === "taken") index--;
  return index;
}

async function goBack() {
  if (earlier() < 0) return;
  if (noteChanged()) await save({}, "Note saved");
  await show(earlier());
}

const noteChanged = () => (at("note").value || null) !== item.note;

function press(key) {
  const pair = item.kind === "pair" && OUTCOMES.find((one) => one[0] === key);
  const chosen = item.kind === "answer" && work.criteria[active].steps.find((one) => one.key === key);
  if (pair) act(() => prefer(pair[1], pair[2]));
  else if (chosen) act(() => score(active, chosen.value));
  else if (key === "p") act(goBack, true);
  else if (key === "s") act(skip);
  else if (key === "r") at("reference").open = !at("reference").open && !at("reference").hidden;
  else if (key === "n") at("note").focus();
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.target === at("note")) {
    if (event.key === "Escape" || (event.key === "Enter" && event.ctrlKey)) at("note").blur();
    return;
  }
  if (!item || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (press(event.key.toLowerCase())) event.preventDefault();
});
at("previous").addEventListener("click", () => act(goBack, true));
at("skip").addEventListener("click", () => act(skip));
at("note").addEventListener("input", () => {
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => act(keepNote), 1000 * NOTE_REST_SECONDS);
});
at("note").addEventListener("blur", () => act(keepNote));
at("again").addEventListener("click", () => {
  passing = "skipped";
  place = -1;
  waiting = waiting.then(goOn);
});

async function keepNote() {
  if (noteChanged()) await save({}, "Note saved");
}

async function begin() {
  work = await insist("overview");
  at("guidelines").querySelector(".prose").textContent = work.guidelines;
  at("guidelines").open = !work.items.some((one) => one.state === "rated");
  await goOn();
}
waiting = begin();
