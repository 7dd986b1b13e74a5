// What every part of the browser uses. All parts are one script, in the order that page_script names.
const place = (id) => document.getElementById(id);
const data = JSON.parse(place("data").textContent);
const { models, baseline, questions } = data;
const others = models.filter((model) => model !== baseline);
const judged = data.criteria; // the judge's
const criteria = [...judged, ...data.checks];

// An element; a text among its children becomes a text node, never markup. Children may be lists.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name === "dir" || name === "role" || name.startsWith("aria-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  for (const child of children.flat(2)) if (child !== null && child !== "") made.append(child);
  return made;
}

// A text that was too long for the page is a pair: its beginning, and how many characters are missing.
const plain = (text) => (Array.isArray(text) ? text[0] : text ?? "");
const missing = (text) => (Array.isArray(text) ? [element("em", { class: "cut" }, ` … ${counted(text[1], "more character")}`)] : []);

// A text as it is. What questions and answers hold is put on the page by written() (question.js).
function prose(text, kind = "") {
  return element("p", { class: `prose ${kind}`, dir: "auto" }, plain(text), missing(text));
}

const number = (value) => String(Math.round(value * 100) / 100);
const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
