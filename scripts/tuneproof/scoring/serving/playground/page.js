"use strict";
// Every text goes onto the page as textContent, never as markup.

const at = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function shown(name, score) {
  const part = element("div", "", "score");
  const meter = element("meter", "");
  meter.min = 0; meter.max = 1; meter.value = score.probability;
  meter.setAttribute("aria-label", `Probability by ${name}`);
  const details = [`class ${score.label}`];
  if (score.score !== null) details.push(`expected score ${score.score.toFixed(2)}`);
  if (score.threshold !== null) details.push(`${score.passed ? "passes" : "fails"} at ${score.threshold}`);
  part.append(element("b", name), element("span", score.probability.toFixed(2)), meter, element("p", details.join(", ")));
  return part;
}

function show(answer) {
  const result = answer.results[0];
  at("verdict").textContent = answer.timed_out ? "Time ran out; there is no score."
    : result.passed === null ? "Scored; no threshold is set." : result.passed ? "It passes." : "It does not pass.";
  at("scores").replaceChildren(...Object.entries(result.scores).map(([name, score]) => shown(name, score)));
}

function trouble(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

async function ask() {
  const item = { output: at("output").value };
  for (const name of ["input", "ground_truth"]) if (at(name).value) item[name] = at(name).value;
  const headers = { "Content-Type": "application/json" };
  if (at("token").value) headers.Authorization = `Bearer ${at("token").value}`;
  const response = await fetch("/score", { method: "POST", headers, body: JSON.stringify({ items: [item] }) });
  if (response.status === 401) { at("token-row").hidden = false; at("token").focus(); }
  const answer = await response.json();
  if (answer.results) return show(answer);
  throw new Error(answer.error);
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  trouble("");
  at("verdict").textContent = "Scoring…";
  at("scores").replaceChildren();
  try {
    await ask();
  } catch (error) {
    at("verdict").textContent = "";
    trouble(error instanceof TypeError ? "The service does not answer." : error.message);
  }
});
