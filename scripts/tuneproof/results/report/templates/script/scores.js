// Numbers of a question that filters and orders ask for again and again, computed once.
const scoreOf = (answer, at) => (at < judged.length ? answer.scores?.[at] : answer.checks?.[at - judged.length]?.[0]) ?? null;
const allJudged = judged.map((_, at) => at);
const ranges = criteria.map((criterion) => criterion.steps.at(-1) - criterion.steps[0]);

for (const question of questions) {
  question.means = question.answers.map((answers) =>
    criteria.map((_, at) => mean(answers.map((answer) => scoreOf(answer, at)).filter((score) => score !== null))));
  question.characters = question.answers.map((answers) => mean(answers.map((answer) => answer.characters)) ?? 0);
}
// Whole scores are written as such; of a criterion with others all have the same decimals, so that columns can be read.
const decimals = criteria.map((_, at) =>
  questions.every((question) => question.means.every((of) => of[at] === null || Number.isInteger(of[at]))) ? 0 : 2);
const scoreText = (at, score) => (score === null ? "–" : score.toFixed(decimals[at]));
const lengths = questions.flatMap((question) => question.characters).sort((a, b) => a - b);
const short = Math.round(lengths[Math.floor(lengths.length / 5)] ?? 0);
const long = Math.round(lengths[Math.floor((lengths.length * 4) / 5)] ?? 0);

// How far a model's mean score stands above the baseline's; null where either has none.
function scoreChange(question, model, at) {
  const [ours, theirs] = [question.means[model][at], question.means[models.indexOf(baseline)][at]];
  return ours === null || theirs === null ? null : Math.round((ours - theirs) * 1e9) / 1e9;
}

// The mean over some criteria, in shares of their scales: over those that both have a score on, null where there is none.
function change(question, model, chosen) {
  const known = chosen.filter((at) => scoreChange(question, model, at) !== null);
  return mean(known.map((at) => scoreChange(question, model, at) / ranges[at]));
}

// Whether a question got better or worse on one criterion: less than what counts there is the same.
function direction(question, model, at) {
  const difference = scoreChange(question, model, at);
  if (difference === null) return null;
  if (Math.abs(difference) < Math.max(criteria[at].counts_from - 1e-9, 1e-9)) return "same";
  return difference > 0 ? "better" : "worse";
}

// Likewise on any of some criteria; the same is what is so on all that have a score.
function went(question, model, wanted, chosen) {
  const ways = chosen.map((at) => direction(question, model, at)).filter((way) => way !== null);
  return wanted === "same" ? ways.length > 0 && ways.every((way) => way === "same") : ways.includes(wanted);
}

// How far apart the models are on a criterion, as a share of its scale.
function spread(question, at) {
  if (at < judged.length) return question.spreads[at];
  const means = question.means.map((of) => of[at]).filter((value) => value !== null);
  return means.length ? (Math.max(...means) - Math.min(...means)) / ranges[at] : 0;
}

function nearestStep(criterion, score) {
  return criterion.steps.reduce((best, step) => (Math.abs(step - score) < Math.abs(best - score) ? step : best));
}
