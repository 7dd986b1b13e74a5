import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuneproof.scoring.checks.cases import found, question
from tuneproof.scoring.checks.corpus import Corpus
from tuneproof.scoring.checks.references import segment_counts
from tuneproof.settings.evidence.checks import Checks

TEXTS = st.lists(st.sampled_from([*"abcdefg", "running", "runs", "Ünï", "3.5", "!", "\n"]), max_size=30).map(" ".join)
PAIRS = [
    ("The cat sat on the mat.", "A cat was sitting on the mat."),
    ("Dogs bark loudly at night .", "At night, dogs bark."),
    ("", "Nothing was said."),
    ("Zürich liegt am See.", "Zürich liegt an einem See."),
]


@given(TEXTS, TEXTS, st.booleans())
def test_rouge_is_the_package_s_own_to_the_last_digit(answer: str, reference: str, stem: bool) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ["rouge1", "rouge2", "rougeL"]
    own = RougeScorer(kinds, use_stemmer=stem).score(reference, answer)
    assert [found(answer, question(reference), kind=kind, stem=stem).value for kind in kinds] == [
        own[kind].fmeasure for kind in kinds
    ]


@given(TEXTS, TEXTS)
def test_bleu_and_chrf_are_sacrebleu_s_own_to_the_last_digit(answer: str, reference: str) -> None:
    from sacrebleu.metrics import BLEU, CHRF

    bleu = BLEU(effective_order=True).sentence_score(answer, [reference]).score
    assert found(answer, question(reference), kind="bleu").value == min(bleu, 100.0)
    assert found(answer, question(reference), kind="chrf").value == CHRF().sentence_score(answer, [reference]).score


@pytest.mark.parametrize("kind", ["bleu", "chrf"])
def test_the_corpus_figure_and_its_signature_are_sacrebleu_s_own(kind: str) -> None:
    from sacrebleu.metrics import BLEU, CHRF

    metric = {"bleu": BLEU, "chrf": CHRF}[kind]()
    halves = Corpus(), Corpus()
    for number, (answer, reference) in enumerate(PAIRS):
        halves[number % 2].add("overlap", segment_counts(kind, answer, reference))
    halves[0].merge(halves[1])
    answers, references = zip(*PAIRS, strict=True)
    score = metric.corpus_score(answers, [references]).score
    figures = halves[0].figures(Checks.model_validate({"overlap": {"kind": kind}}))
    assert figures == {"overlap": {"corpus_score": score, "signature": str(metric.get_signature())}}


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ("#### 1,234", "so 1234", 1), ("It costs $12.50.", "12.5", 1), ("-3", "3", 0), ("half", "1", 0),
        ("first 2, then 3", "3 and 2", 0), ("9" * 5_000, "9", 0), ("١٢", "12", 1),
    ],
)  # fmt: skip
def test_the_last_number_counts(answer: str, reference: str, value: int) -> None:
    assert found(answer, question(reference), kind="number_match").value == value


def test_a_reference_without_a_number_gives_no_score() -> None:
    assert found("12", question("twelve"), kind="number_match") == (None, "the reference holds no number")


def test_a_match_leaves_aside_what_squad_leaves_aside() -> None:
    assert found("The Eiffel-Tower.", question("eiffeltower"), kind="exact_match").value == 1
    assert found("", question("a"), kind="exact_match").value == 1
    assert found("", question("a cat"), kind="token_f1").value == 0


@pytest.mark.parametrize("kind", ["exact_match", "number_match", "token_f1", "rouge1", "rougeL", "bleu", "chrf"])
def test_a_question_without_a_reference_gives_no_score_and_says_so(kind: str) -> None:
    assert found("Paris", question(None), kind=kind) == (None, "the question has no reference")
