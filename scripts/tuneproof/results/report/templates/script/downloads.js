// The questions that the filters leave, with the answers of the chosen model or of all, as a file made in the page.
const byName = (names, values) => Object.fromEntries(names.map((name, at) => [name, values[at]]).filter(([, value]) => value !== null && value !== ""));

function answerRecords() {
  return found.flatMap((question) => chosenModels().flatMap((model) => {
    const turns = question.turns?.length ?? 1;
    return question.answers[model].map((answer, row) => answerRecord(question, model, answer, Math.floor(row / turns)));
  }));
}

function answerRecord(question, model, answer, sample) {
  const [names, other] = [criteria.map((criterion) => criterion.name), reference()];
  const said = judged.map((_, at) => (answer.judges ?? []).map((judge) => plain(judge.analyses[at])).filter(Boolean).join("\n\n"));
  const turn = answer.turn === undefined ? {} : { turn: answer.turn };
  return {
    id: question.id, number: question.number, model: models[model], sample, ...turn,
    instruction: plain(question.turns ? question.turns[answer.turn] : question.instruction),
    reference: plain(question.turns ? question.references[answer.turn] : question.reference),
    answer: plain(answer.text), characters: answer.characters, finish: answer.finish, status: answer.status,
    scores: byName(names, criteria.map((_, at) => scoreOf(answer, at))),
    against: models[other], changes: model === other ? {} : byName(names, criteria.map((_, at) => scoreChange(question, model, other, at))),
    reasons: byName(names, [...said, ...(answer.checks ?? []).map((check) => plain(check[1]))]),
    tags: Object.fromEntries(question.tags.map((pair) => pair.map(plain))),
  };
}

// A table has a column for each of the names that any row has in its parts.
function asCsv(records) {
  const parts = ["scores", "changes", "reasons", "tags"];
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

function downloadButtons() {
  // The mark at the beginning tells a spreadsheet that the file is UTF-8.
  const csv = () => save("answers.csv", "text/csv", `\ufeff${asCsv(answerRecords())}`);
  const lines = () => save("answers.jsonl", "application/jsonl", asJsonLines(answerRecords()));
  return [
    element("button", { type: "button", onclick: csv }, "Download CSV"),
    element("button", { type: "button", onclick: lines }, "Download JSON Lines"),
  ];
}
