// Numbers of a question that filters and orders ask for again and again, computed once.
const scoreOf = (answer, at) => (at < judged.length ? answer.scores?.[at] : answer.checks?.[at - judged.length]?.[0]) ?? null;
const allJudged = judged.map((_, at) => at);
const ranges = criteria.map((criterion) => criterion.steps.at(-1) - criterion.steps[0]);

const known = (values) => values.filter((value) => value !== null);

// A question's score is the mean over its samples, and a sample's the mean over its turns.
function questionMean(question, answers, at) {
  const turns = question.turns?.length ?? 1;
  const scores = answers.map((answer) => scoreOf(answer, at));
  if (scores.length === 1) return scores[0];
  const samples = Array.from({ length: Math.ceil(scores.length / turns) }, (_, sample) => scores.slice(sample * turns, (sample + 1) * turns));
  return mean(known(samples.map((of) => mean(known(of)))));
}

for (const question of questions) {
  question.means = question.answers.map((answers) => criteria.map((_, at) => questionMean(question, answers, at)));
  question.characters = question.answers.map((answers) => mean(answers.map((answer) => answer.characters)) ?? 0);
}
// Whole scores are written as such; of a criterion with others all have the same decimals, so that columns can be read.
const decimals = criteria.map((_, at) =>
  questions.every((question) => question.means.every((of) => of[at] === null || Number.isInteger(of[at]))) ? 0 : 2);
// A yes and a no are written 1 and 0 in every place: so are both ends of a scale from 0 to 1.
const isYesNo = criteria.map(({ steps }) => steps[0] === 0 && steps.at(-1) === 1);
const scoreText = (at, score) => (score === null ? "–" : score.toFixed(isYesNo[at] && Number.isInteger(score) ? 0 : decimals[at]));
const lengths = questions.flatMap((question) => question.characters).sort((a, b) => a - b);
const short = Math.round(lengths[Math.floor(lengths.length / 5)] ?? 0);
const long = Math.round(lengths[Math.floor((lengths.length * 4) / 5)] ?? 0);

// How far a model's mean score stands above the other's; null where either has none.
function scoreChange(question, model, other, at) {
  const [ours, theirs] = [question.means[model][at], question.means[other][at]];
  return ours === null || theirs === null ? null : Math.round((ours - theirs) * 1e9) / 1e9;
}

// The mean over some criteria, in shares of their scales: over those that both have a score on, null where there is none.
function change(question, model, other, chosen) {
  const changes = chosen.map((at) => [scoreChange(question, model, other, at), ranges[at]]).filter(([value]) => value !== null);
  return mean(changes.map(([value, range]) => value / range));
}

// Whether a question went better or worse for a model than for another on one criterion. That was decided where the
// page's counts come from: a letter for the second model beside the first, the third beside the first and the second,
// and so on, of each for every criterion.
const WAYS = { b: "better", s: "same", w: "worse" };
const TURNED = { b: "worse", s: "same", w: "better" };

function direction(question, model, other, at) {
  const [earlier, later] = [Math.min(model, other), Math.max(model, other)];
  if (earlier === later) return null;
  const letter = question.outcomes[((later * (later - 1)) / 2 + earlier) * criteria.length + at];
  return (model === later ? WAYS : TURNED)[letter] ?? null;
}

// Likewise on any of some criteria; the same is what is so on all that have a score.
function went(question, model, other, wanted, chosen) {
  const ways = known(chosen.map((at) => direction(question, model, other, at)));
  return wanted === "same" ? ways.length > 0 && ways.every((way) => way === "same") : ways.includes(wanted);
}

// How far apart the models are on a criterion, as a share of its scale.
function spread(question, at) {
  if (at < judged.length) return question.spreads[at];
  const means = known(question.means.map((of) => of[at]));
  return means.length ? (Math.max(...means) - Math.min(...means)) / ranges[at] : 0;
}

function nearestStep(criterion, score) {
  return criterion.steps.reduce((best, step) => (Math.abs(step - score) < Math.abs(best - score) ? step : best));
}
