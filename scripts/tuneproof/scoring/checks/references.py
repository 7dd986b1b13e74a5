"""Checks against the question's reference: the same text, the same number, shared words."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tuneproof.scoring.checks.finding import Finding, verdict
from tuneproof.settings.evidence.check_kinds import Reference, Rouge, SacreBleu

NO_REFERENCE = Finding(None, "the question has no reference")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+")
LONGEST_NUMBER_CHARACTERS = 100
ARTICLE = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
MOST_PAIRS_OF_WORDS = 1_000_000_000  # of answer and reference: a tenth of a gigabyte, and a second
LONGEST_FOR_CHARACTERS = 200_000  # n-grams of characters


def against_reference(answer: str, reference: str | None, settings: Reference | Rouge | SacreBleu) -> Finding:
    r"""Any of these kinds.

    >>> against_reference("Paris", None, Reference(kind="exact_match"))
    Finding(value=None, reason='the question has no reference')
    >>> against_reference("The  Eiffel Tower!", "eiffel tower", Reference(kind="exact_match"))
    Finding(value=1.0, reason='the same text')
    >>> against_reference("A tower", "eiffel tower", Reference(kind="exact_match"))
    Finding(value=0.0, reason='another text')
    >>> against_reference("So she pays $1,200.00 in all.", "600 * 2 = 1200\n#### 1200", Reference(kind="number_match"))
    Finding(value=1.0, reason='1200.00, as in the reference')
    >>> against_reference("It takes 3 days.", "#### 4", Reference(kind="number_match"))
    Finding(value=0.0, reason='3, and the reference has 4')
    >>> against_reference("the cat sat", "a cat slept", Reference(kind="token_f1"))
    Finding(value=0.5, reason="1 of its 2 words and of the reference's 2 are shared (F1)")
    >>> against_reference("a dog", "a cat slept", Reference(kind="token_f1")).value
    0.0
    """
    if reference is None:
        return NO_REFERENCE
    match settings:
        case Rouge():
            return rouge(answer, reference, settings)
        case SacreBleu():
            return sacrebleu(answer, reference, settings)
        case Reference(kind="number_match"):
            return number_match(answer, reference)
    answer, reference = normalised(answer), normalised(reference)
    if settings.kind == "exact_match":
        return verdict(answer == reference, "the same text", "another text")
    return token_f1(answer.split(), reference.split())


def normalised(text: str) -> str:
    """Small letters, without punctuation, articles and double spaces.

    As `normalize_answer` of SQuAD's evaluate-v1.1.py (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250).
    """
    return " ".join(ARTICLE.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())


def token_f1(answer: list[str], reference: list[str]) -> Finding:
    """The harmonic mean of precision and recall over tokens, as `f1_score` of SQuAD's evaluate-v1.1.py."""
    shared = (Counter(answer) & Counter(reference)).total()
    reason = f"{shared} of its {len(answer)} words and of the reference's {len(reference)} are shared (F1)"
    if not shared:
        return Finding(0.0, reason)
    precision, recall = shared / len(answer), shared / len(reference)
    return Finding(2 * precision * recall / (precision + recall), reason)


def number_match(answer: str, reference: str) -> Finding:
    """Whether the last number of the answer is the reference's last.

    As GSM8K is graded by the number at the end of a solution (Cobbe et al. 2021, https://arxiv.org/abs/2110.14168).
    """
    wanted, found = last_number(reference), last_number(answer)
    if wanted is None:
        return Finding(None, "the reference holds no number")
    if found is None:
        return Finding(0.0, "it holds no number")
    same = Decimal(found) == Decimal(wanted)
    return verdict(same, f"{found}, as in the reference", f"{found}, and the reference has {wanted}")


def last_number(text: str) -> str | None:
    """The last number in a text, without the commas in it.

    >>> last_number("Of 1,500 he spent -3.50.")
    '-3.50'
    """
    found = NUMBER.findall(text)
    return found[-1].replace(",", "")[:LONGEST_NUMBER_CHARACTERS] if found else None


def rouge(answer: str, reference: str, settings: Rouge) -> Finding:
    """ROUGE's F-measure as the package rouge-score gives it (Lin 2004, https://aclanthology.org/W04-1013).

    >>> rouge("the cat sat down", "the cat sat up", Rouge(kind="rouge2"))
    Finding(value=0.6666666666666666, reason='precision 0.67, recall 0.67')
    >>> rouge("dogs bark", "the cat sat up", Rouge(kind="rouge1"))
    Finding(value=0.0, reason='precision 0.00, recall 0.00')
    """
    if len(answer.split()) * len(reference.split()) > MOST_PAIRS_OF_WORDS:
        return Finding(None, "answer and reference are too long to be compared")
    precision, recall, f_measure = rouge_scores(answer, reference, settings.stem)[settings.kind]
    return Finding(f_measure, f"precision {precision:.2f}, recall {recall:.2f}")


@lru_cache(maxsize=4)  # a question's checks ask for the same pair one after the other
def rouge_scores(answer: str, reference: str, stem: bool) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F-measure of all three, of the same tokens.

    The package takes seconds and gigabytes for the longest common subsequence of long texts; all else here is its own.
    """
    from rouge_score.scoring import fmeasure

    tokenizer, scorer = rouge_scorer(stem)
    tokens = [tokenizer.tokenize(text) for text in (answer, reference)]
    scores = scorer.score(reference, answer)
    common = longest_common_subsequence(*tokens)
    precision, recall = (common / len(text) if text else 0.0 for text in tokens)
    counted = {kind: (float(one.precision), float(one.recall), float(one.fmeasure)) for kind, one in scores.items()}
    return counted | {"rougeL": (precision, recall, float(fmeasure(precision, recall)))}


def longest_common_subsequence(one: list[str], other: list[str]) -> int:
    """How many tokens it has. A table's row is one number, a bit a token (Hyyrö 2004, "Bit-parallel LCS-length").

    >>> longest_common_subsequence("a b c d".split(), "b x d a".split())
    2
    """
    shorter, longer = sorted((one, other), key=len)
    places: dict[str, int] = {}
    for place, token in enumerate(shorter):
        places[token] = places.get(token, 0) | 1 << place
    row = everything = (1 << len(shorter)) - 1
    for token in longer:
        hits = row & places.get(token, 0)
        row = ((row + hits) | (row - hits)) & everything
    return len(shorter) - row.bit_count()


@lru_cache
def rouge_scorer(stem: bool) -> tuple[Any, Any]:
    """The package's tokenizer, and its scorer of n-grams."""
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import DefaultTokenizer

    tokenizer = DefaultTokenizer(stem)
    return tokenizer, RougeScorer(["rouge1", "rouge2"], tokenizer=tokenizer)


def sacrebleu(answer: str, reference: str, settings: SacreBleu) -> Finding:
    """One answer's BLEU or chrF, 0 to 100, as sacrebleu's sentence scores (Post 2018, https://aclanthology.org/W18-6319).

    >>> sacrebleu("The cat sat on the mat.", "The cat sat on the mat.", SacreBleu(kind="bleu")).value > 99.9
    True
    >>> sacrebleu("Dogs bark.", "The cat sat on the mat.", SacreBleu(kind="chrf")).value < 10
    True
    """
    if max(len(answer), len(reference)) > LONGEST_FOR_CHARACTERS:
        return Finding(None, f"it is longer than {LONGEST_FOR_CHARACTERS} characters")
    counts = list(segment_counts(settings.kind, answer, reference))
    score = sentence_metric(settings.kind)._compute_score_from_stats(counts)
    return Finding(min(float(score.score), 100.0), f"{settings.kind} of this answer alone")


@lru_cache(maxsize=4)  # the score and the corpus figure ask for the same one after the other
def segment_counts(kind: str, answer: str, reference: str) -> tuple[int, ...]:
    """What sacrebleu counts in one answer: `sentence_score` and `corpus_score` compute from these, or from their sums.

    They have no public name in the pinned version; tests compare with both methods to the last digit.
    """
    metric = sentence_metric(kind)
    return tuple(metric._extract_corpus_statistics([answer], [[reference]])[0])


@lru_cache
def sentence_metric(kind: str) -> Any:
    """Sacrebleu's metric with its defaults for single sentences."""
    from sacrebleu.metrics import BLEU, CHRF

    return BLEU(effective_order=True) if kind == "bleu" else CHRF()


def corpus_score(kind: str, counts: Sequence[int]) -> dict[str, Any]:
    """Sacrebleu's figure over all answers from the sums of their counts, and the signature to cite it with."""
    from sacrebleu.metrics import BLEU, CHRF

    metric = BLEU() if kind == "bleu" else CHRF()
    metric.num_refs = 1  # of the signature
    score = metric._compute_score_from_stats(list(counts))
    return {"corpus_score": float(score.score), "signature": str(metric.get_signature())}
