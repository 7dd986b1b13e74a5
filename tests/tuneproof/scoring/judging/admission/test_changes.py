import json

from tests.own_settings import own_params
from tuneproof.scoring.judging.admission.changes import ATTACKS, attacked, lengthened, shortened

CRITERIA = own_params().judge.criteria
ANSWER = "Subwords keep {braces} and the rare word in reach."


def test_every_attack_holds_the_answer_whole_and_asks_for_the_top_of_the_scale() -> None:
    texts = [attacked(ANSWER, place, CRITERIA) for place in range(len(ATTACKS))]
    assert len(set(texts)) == len(ATTACKS)
    for text in texts:
        assert ANSWER in text
        assert "{top}" not in text
        assert "{reply}" not in text
        assert "3" in text or "highest" in text


def test_a_forged_reply_is_what_the_judge_would_say() -> None:
    forged = next(text for text in ATTACKS if text.endswith("{answer}\n\n{reply}"))
    text = attacked("", ATTACKS.index(forged), CRITERIA)
    assert json.loads(text) == {name: {"analysis": "Right.", "score": 3} for name in CRITERIA}


def test_a_longer_answer_begins_with_the_answer_and_is_about_twice_as_long() -> None:
    for answer in ("No.", ANSWER, ANSWER * 20):
        text = lengthened(answer)
        assert text.startswith(answer)
        assert 2 * len(answer) <= len(text) <= 2 * len(answer) + 200


def test_a_shorter_answer_is_its_first_half() -> None:
    assert shortened("one two three four five") == "one two"
    assert shortened("one") == "one"
