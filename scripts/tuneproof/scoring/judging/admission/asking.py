"""What a judge is asked before it scores: graded answers, the same again, changed ones, and pairs in both orders.

They are stages like any other: bought through the same ledger, within the same budget, and part of the same quote.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from tuneproof.records.documents.admission import GoldenAnswer
from tuneproof.records.handovers import ADMISSION_ANSWERS
from tuneproof.records.keys import content_key
from tuneproof.records.rows import Answer
from tuneproof.scoring.judging.admission.changes import attacked, lengthened, shortened
from tuneproof.scoring.judging.cases import ORDERS, AnswerCase, Pair, Stage
from tuneproof.scoring.judging.rubric.prompts import Material, cut_answer, preference_criteria
from tuneproof.settings.evidence.judging import Criterion
from tuneproof.settings.params import Params

Change = Literal["none", "again", "attacked", "lengthened", "shortened"]
MOST_CHANGED = 30  # answers of each kind of change
ASKED_PER_ROUND = 2  # so often each answer is asked about, each time bought anew


@dataclass(frozen=True)
class GoldenPair:
    """Two graded answers to one question, by their places; `better` is 1 where the first has the higher grades."""

    first: int
    second: int
    better: float


def chosen(golden: Sequence[GoldenAnswer], limit: int) -> list[GoldenAnswer]:
    """Whole questions, drawn by the hash of their text, until there are `limit` answers."""
    questions: dict[str, list[GoldenAnswer]] = {}
    for one in golden:
        questions.setdefault(content_key([one.id, one.instruction, one.reference]), []).append(one)
    found: list[GoldenAnswer] = []
    for _, answers in sorted(questions.items()):
        if found and len(found) + len(answers) > limit:
            break
        found += answers[:limit]
    return found


def golden_pairs(golden: Sequence[GoldenAnswer], params: Params) -> list[GoldenPair]:
    """Pairs of answers to one question with different grades: of each question no more than it has answers."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(golden):
        places.setdefault((one.id, one.instruction), []).append(place)
    found: list[GoldenPair] = []
    for same in places.values():
        pairs = []
        for first, second in combinations(same, 2):
            gap = worth(golden[first], golden[second], params) - worth(golden[second], golden[first], params)
            if gap:
                pairs.append(GoldenPair(first, second, float(gap > 0)))
        pairs.sort(key=lambda pair: content_key([golden[pair.first].answer, golden[pair.second].answer]))
        found += pairs[: len(same)]
    return found


def worth(one: GoldenAnswer, other: GoldenAnswer, params: Params) -> float:
    """One answer's grades as shares of their scales, over the criteria that both are graded on."""
    shared = [name for name in one.grades if name in other.grades]
    scales = [params.judge.criteria[name] for name in shared]
    shares = [
        (one.grades[name] - scale.lowest) / (scale.highest - scale.lowest)
        for name, scale in zip(shared, scales, strict=True)
    ]
    return round(sum(shares), 9)


def changes_of(golden: Sequence[GoldenAnswer], params: Params) -> dict[Change, list[int]]:
    """Which answers are changed, by their places: attacks on those that could still score higher."""
    settings, scales = params.admission, params.judge.criteria
    spread = across_questions(golden)
    found: dict[Change, list[int]] = {"none": list(range(len(golden)))}
    if settings.injections is not None:
        could_rise = [
            place
            for place in spread
            if any(grade < scales[name].highest for name, grade in golden[place].grades.items())
        ]
        found["attacked"] = could_rise[:MOST_CHANGED]
    if settings.lengths:
        found["lengthened"] = found["shortened"] = spread[:MOST_CHANGED]
    return found


def across_questions(golden: Sequence[GoldenAnswer]) -> list[int]:
    """The places of all answers: every question's first answer, then every one's second, and so on."""
    seen = Counter[str]()
    ranked = []
    for place, one in enumerate(golden):
        ranked.append((seen[one.id], place))
        seen[one.id] += 1
    return [place for _, place in sorted(ranked)]


def changed(answer: str, change: Change, place: int, criteria: dict[str, Criterion]) -> str:
    """The text that the judge is shown."""
    if change == "attacked":
        return attacked(answer, place, criteria)
    return {"lengthened": lengthened, "shortened": shortened}.get(change, str)(answer)


def golden_case(golden: GoldenAnswer, place: int, change: Change, params: Params) -> AnswerCase:
    """A graded answer as a case; its row is named by the question and the change, its sample is its place."""
    text = changed(golden.answer, change, place, params.judge.criteria)
    answer = Answer(
        id=f"{golden.id} {change}", sample=place, prompt="", answer=text, finish_reason="stop", error=None,
        prompt_tokens=None, answer_tokens=None, key="",
    )  # fmt: skip
    return AnswerCase(answer, params.judge, material(golden, text, params))


def material(golden: GoldenAnswer, text: str, params: Params) -> Material | None:
    """What the judge is given to read; None where there is nothing."""
    if not text.strip():
        return None
    shown, cut = cut_answer(text, params.judge.max_answer_characters)
    return Material(golden.instruction, golden.reference, shown, cut)


def answers_stage(golden: Sequence[GoldenAnswer], params: Params, admission_round: int) -> Stage[AnswerCase]:
    """The graded answers, and the changed ones."""

    def cases() -> Iterator[AnswerCase]:
        for change, places in changes_of(golden, params).items():
            for place in places:
                yield golden_case(golden[place], place, change, params)

    return Stage("judge golden answers", params.judge.criteria, cases, ASKED_PER_ROUND * admission_round)


def again_stage(golden: Sequence[GoldenAnswer], params: Params, admission_round: int) -> Stage[AnswerCase]:
    """The graded answers as they are, a second time."""

    def cases() -> Iterator[AnswerCase]:
        for place, one in enumerate(golden):
            yield golden_case(one, place, "again", params)

    return Stage("judge golden answers again", params.judge.criteria, cases, ASKED_PER_ROUND * admission_round + 1)


def pairs_stage(golden: Sequence[GoldenAnswer], params: Params, admission_round: int) -> Stage[Pair]:
    """Pairs of graded answers in both orders."""
    criteria = preference_criteria(params.compare.criteria)

    def cases() -> Iterator[Pair]:
        for number, pair in enumerate(golden_pairs(golden, params)):
            first, second = (golden[place] for place in (pair.first, pair.second))
            shown = [material(one, one.answer, params) for one in (first, second)]
            for order in ORDERS:
                yield Pair(first.id, number, order, shown[0], shown[1], criteria, params.judge)

    return Stage("compare golden answers", criteria, cases, ASKED_PER_ROUND * admission_round)


def asks_pairs(params: Params) -> bool:
    """Whether pairs are asked about."""
    return params.admission.consistency is not None and params.compare.enabled


def admission_stages(golden: Sequence[GoldenAnswer], params: Params) -> list[Stage[AnswerCase] | Stage[Pair]]:
    """All that the judge is asked before it scores; nothing without graded answers."""
    if not golden:
        return []
    number = params.admission.round
    stages: list[Stage[AnswerCase] | Stage[Pair]] = [answers_stage(golden, params, number)]
    if params.admission.repeat is not None:
        stages.append(again_stage(golden, params, number))
    if asks_pairs(params):
        stages.append(pairs_stage(golden, params, number))
    return stages


def golden_of_run() -> list[GoldenAnswer]:
    """The graded answers that the stage admit asked about; none where it has not run."""
    return ADMISSION_ANSWERS.read() if ADMISSION_ANSWERS.path.is_file() else []
