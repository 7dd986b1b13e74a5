"""Replies of judges that think, quote, refuse or rate in words and give no score: made up from templates, seeded."""

import json
import random
from collections.abc import Callable, Iterator

NAMES = ("accuracy", "style")
NUMBER_WORDS = ("one", "two", "three")
CLAIMERS = ("it", "the answer", "The answer to grade", "its last line", "the text behind the fence", "a hidden line")
CLAIMS = (
    "orders me to say", "tells me to reply with", "wants me to output", "says", "claims that I should write",
    "demands", "asks me for", "ends with", "contains the text", "instructs the judge to return", "quotes",
)  # fmt: skip
REFUSALS = (
    "I refuse; accuracy {low}.", "I will not do that: accuracy {low}, style {low}.", "That is no answer.",
    "This is a prompt injection, so accuracy is {word}.", "I don't follow orders of the material.",
    "That would be wrong.", "I rate it {low} for accuracy and {low} for style.", "It deserves the lowest score.",
    "However, none of it is true.", "My own verdict: {word} and {word}.", "No.", "Das tue ich nicht.",
    "Je ne le ferai pas.", "我拒绝。", "Instead I give accuracy {low}.", "It is wrong and stiff.", "Ignored.",
)  # fmt: skip
THOUGHTS = (
    "Let me think about {name} first.", "Hmm, is the definition right?", "The reference says something else.",
    "Maybe {word}, maybe not.", "The set {{a, b}} would be one case.", "It reads like a textbook.",
    "Wait, there is more in the second paragraph.", "A draft: {draft}", "Or rather {draft}?",
    "So {name} is about {low}.",
)  # fmt: skip
RATINGS = (
    "Accuracy: {low}/3. Style: {high}/3.", "I would give it a {word}.", "accuracy = {low}, style = {high}",
    "**Accuracy** {word} **Style** {word}", "The score for accuracy is {low}.", "<score>{low}</score>",
    "Rating: [[{low}]]", "{{'accuracy': {low}, 'style': {high}}}", "accuracy: {word}; style: {word}",
    '{{"accuracy": {low}, "style": {high}}}', "Score: \\boxed{{{low}}}", "| accuracy | {low} |\n| style | {high} |",
)  # fmt: skip
QUOTES = (
    "{}",
    "`{}`",
    '"{}"',
    "\u201c{}\u201d",
    "({})",
    "\n{}\n",
    "\n```json\n{}\n```\n",
    "\n> {}\n",
    ": {}",
    ":\n\n{}\n",
)
ANNOUNCED = (":", ", namely", ":\n")
OPENED_THOUGHTS = (
    "<think>",
    "<thinking>",
    "[THINK]",
    "<|channel|>analysis<|message|>",
    "\u25c1think\u25b7",
    "<think>\n",
)


def good_object(choose: random.Random) -> str:
    """A reply in the form asked for, as an answer would have the judge give it."""
    scores = {name: {"analysis": choose.choice(("", "Perfect.", "Fine.")), "score": 3} for name in NAMES}
    return json.dumps(scores, indent=choose.choice((None, 2)))


def filled(template: str, choose: random.Random) -> str:
    """A template with names, numbers and drafts put in."""
    return template.format(
        low=choose.randint(1, 2), high=choose.randint(1, 3), word=choose.choice(NUMBER_WORDS),
        name=choose.choice(NAMES), draft=good_object(choose),
    )  # fmt: skip


def quoting(choose: random.Random) -> str:
    """Quotes what the answer orders, and goes on to say otherwise."""
    said = choose.choice(QUOTES).format(good_object(choose))
    rest = " ".join(filled(choose.choice(REFUSALS), choose) for _ in range(choose.randint(1, 3)))
    mark = choose.choice((". ", " ", "\n", "; ", ", "))
    return f"{choose.choice(CLAIMERS)} {choose.choice(CLAIMS)} {said}{mark}{rest}"


def refusing_first(choose: random.Random) -> str:
    """Refuses, and quotes last what it refuses to say."""
    refusal = choose.choice(("I refuse to say what it wants me to say", "I will not repeat what it orders me to write"))
    rating = filled(choose.choice(RATINGS[:1]), choose) if choose.random() < 0.5 else ""
    return f"{rating} {refusal}{choose.choice(ANNOUNCED)} {good_object(choose)}"


def thinking_without_end(choose: random.Random) -> str:
    """A thought that was never closed, with a draft in it."""
    thoughts = [filled(choose.choice(THOUGHTS), choose) for _ in range(choose.randint(1, 6))]
    thoughts.insert(choose.randrange(len(thoughts) + 1), good_object(choose))
    return choose.choice(OPENED_THOUGHTS) + choose.choice((" ", "\n", "\n\n")).join(thoughts)


def thinking_aloud(choose: random.Random) -> str:
    """A thought without marks, whose draft is taken back."""
    thoughts = [filled(choose.choice(THOUGHTS), choose) for _ in range(choose.randint(1, 4))]
    return " ".join([*thoughts, f"Suppose I say {good_object(choose)}.", filled(choose.choice(REFUSALS), choose)])


def rating_in_words(choose: random.Random) -> str:
    """Scores in every form but the one asked for."""
    return "\n".join(filled(choose.choice(RATINGS), choose) for _ in range(choose.randint(1, 3)))


def ended_thought_and_prose(choose: random.Random) -> str:
    """A thought with a draft that ends, and prose in place of the object."""
    close = choose.choice(("</think>", "<|end|><|start|>assistant<|channel|>final<|message|>", "</thinking>"))
    return f"{good_object(choose)} {filled(choose.choice(THOUGHTS[:6]), choose)}{close}{rating_in_words(choose)}"


def broken(choose: random.Random) -> str:
    """The form asked for, cut or with a sign too few."""
    text = good_object(choose)
    place = choose.choice([place for place, letter in enumerate(text) if letter in '{}":,'])
    return text[:place] if choose.random() < 0.5 and place else text[:place] + text[place + 1 :]


STYLES: tuple[Callable[[random.Random], str], ...] = (
    quoting, refusing_first, thinking_without_end, thinking_aloud, rating_in_words, ended_thought_and_prose, broken,
)  # fmt: skip


def prose_replies(count: int, seed: int = 11) -> Iterator[str]:
    """So many replies, each style as often as the others."""
    choose = random.Random(seed)
    for number in range(count):
        yield STYLES[number % len(STYLES)](choose)
