// In which order the questions stand, and what a reader is told of it.

// By gain or loss: what the chosen model's change is, or the farthest of all models; without one, last.
function changeOrder(sign, name) {
  const at = name === undefined ? allJudged : [criteria.findIndex((one) => one.name === name)];
  const other = reference();
  const candidates = chosenModels().filter((model) => model !== other);
  return (question) => {
    const found = known(candidates.map((model) => change(question, model, other, at)));
    return found.length ? Math.min(...found.map((value) => sign * value)) : Infinity;
  };
}

function sorted(list) {
  const [order, name] = chosenOrder();
  const value = {
    "": (question) => -chosenCriteria().reduce((sum, at) => sum + spread(question, at), 0),
    number: (question) => question.number,
    longest: (question) => -Math.max(...question.characters),
    gain: changeOrder(-1, name),
    loss: changeOrder(1, name),
  }[order];
  const keys = new Map(list.map((question) => [question, value(question)]));
  return list.sort((a, b) => (keys.get(a) === keys.get(b) ? a.number - b.number : keys.get(a) - keys.get(b)));
}

// The order's kind, and the criterion where it has one.
function chosenOrder() {
  const [order, ...name] = chosen("order").split(":");
  return [order, name.length ? name.join(":") : undefined];
}

function orders() {
  const by = (order, word) => others.length
    ? [[order, `largest ${word}`], ...criteria.map(({ name }) => [`${order}:${name}`, `largest ${word} in ${name}`])] : [];
  return [["", "models differ most"], ...by("loss", "loss"), ...by("gain", "gain"), ["number", "order of the questions"], ["longest", "longest answer"]];
}

// What stands first, in a sentence.
function orderText() {
  const [order, name] = models.length > 1 ? chosenOrder() : ["number"];
  const model = chosen("model") || "any model";
  const over = (at) => listed(at.map((one) => criteria[one].name));
  const changed = (word) => `First come the questions on which ${model} ${word} most against ${models[reference()]} in ${name ?? over(allJudged)}.`;
  return {
    "": `First come the questions on which the highest and the lowest model's scores lie farthest apart in ${over(chosenCriteria())}.`,
    number: "The questions stand in the order of their file.",
    longest: "First come the questions with the longest answers.",
    gain: changed("gained"),
    loss: changed("lost"),
  }[order];
}
