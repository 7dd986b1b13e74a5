// The answers that the filters mean, as a file made in the page: of the chosen model, or of all for which a question is
// listed, and of these the ones that were judged and ended as is asked.
const byName = (names, values) => Object.fromEntries(names.map((name, at) => [name, values[at]]).filter(([, value]) => value !== null && value !== ""));

function meantAnswers() {
  const asked = askedOfModels();
  return found.flatMap((question) => modelsMeant(question, asked).flatMap((model) =>
    answersAsked(question, model, asked).map((answer) => [question, model, answer])));
}

const answerRecords = () => meantAnswers().map((meant) => answerRecord(...meant));

function answerRecord(question, model, answer) {
  const sample = Math.floor(question.answers[model].indexOf(answer) / (question.turns?.length ?? 1));
  const [names, other] = [criteria.map((criterion) => criterion.name), reference()];
  const said = judged.map((_, at) => (answer.judges ?? []).map((judge) => plain(judge.analyses[at])).filter(Boolean).join("\n\n"));
  const turn = answer.turn === undefined ? {} : { turn: answer.turn };
  return {
    id: question.id, number: question.number, model: models[model], sample, ...turn,
    instruction: plain(question.turns ? question.turns[answer.turn] : question.instruction),
    reference: plain(question.turns ? question.references[answer.turn] : question.reference),
    answer: plain(answer.text), characters: answer.characters, finish: answer.finish, status: answer.status,
    scores: byName(names, criteria.map((_, at) => scoreOf(answer, at))),
    against: models[other], question_changes: model === other ? {} : byName(names, criteria.map((_, at) => scoreChange(question, model, other, at))),
    reasons: byName(names, [...said, ...(answer.checks ?? []).map((check) => plain(check[1]))]),
    tags: Object.fromEntries(question.tags.map((pair) => pair.map(plain))),
  };
}

// A table has a column for each of the names that any row has in its parts.
function asCsv(records) {
  const parts = ["scores", "question_changes", "reasons", "tags"];
  const named = parts.flatMap((part) => [...new Set(records.flatMap((record) => Object.keys(record[part])))].map((name) => [part, name]));
  const single = [...new Set(records.flatMap((record) => Object.keys(record)))].filter((name) => !parts.includes(name));
  const heads = [...single, ...named.map(([part, name]) => `${part}: ${name}`)];
  const rows = records.map((record) => [...single.map((name) => record[name]), ...named.map(([part, name]) => (Object.hasOwn(record[part], name) ? record[part][name] : ""))]);
  return [heads, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

// A text that a spreadsheet would take for a formula gets an apostrophe before it; a number is none.
function csvCell(value) {
  if (typeof value === "number") return String(value);
  const text = String(value ?? "");
  const safe = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/u.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

const asJsonLines = (records) => records.map((record) => `${JSON.stringify(record)}\n`).join("");

function save(name, kind, text) {
  const address = URL.createObjectURL(new Blob([text], { type: kind }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// The mark at the beginning tells a spreadsheet that the file is UTF-8.
const saveCsv = () => save("answers.csv", "text/csv", `\ufeff${asCsv(answerRecords())}`);
const saveJsonLines = () => save("answers.jsonl", "application/jsonl", asJsonLines(answerRecords()));
const downloadButtons = [["CSV", saveCsv], ["JSON Lines", saveJsonLines]].map(([kind, onclick]) => [kind, element("button", { type: "button", onclick })]);

// Each button says how many answers its file will hold.
function nameDownloads() {
  const count = counted(meantAnswers().length, "answer");
  for (const [kind, button] of downloadButtons) button.textContent = `Download ${count} as ${kind}`;
}
