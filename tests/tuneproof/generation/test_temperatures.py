"""A temperature of their own for questions with a tag."""

from pathlib import Path
from typing import Any

import pytest

from tests.own_settings import own_settings
from tests.tuneproof.generation.engines.workspaces import Workspace, answered, make_workspace, rendered, texts_of
from tuneproof.generation.engines import endpoint, transformers
from tuneproof.generation.sagemaker.upload import without_answers
from tuneproof.records.rows import Question
from tuneproof.settings.params import Params

BY_TAG = {"category": {"math": 0.0, "writing": 1.3}}


def question(number: int, category: str) -> Question:
    return Question(id=f"q{number}", instruction=f"Why is it {number}?", reference=None, tags={"category": category})


QUESTIONS = [question(number, category) for number, category in enumerate(["math", "writing", "stem"] * 3)]


def workspace_with(tmp_path: Path, by_tag: dict[str, Any], temperature: float, **settings: Any) -> Workspace:
    workspace = make_workspace(tmp_path, **settings)
    questions = {"dataset": "questions.jsonl", "tag_columns": ["category"]}
    workspace.set(generate=workspace.params()["generate"] | {"temperature_by_tag": by_tag}, questions=questions)
    workspace.change(sampling={"temperature": temperature, "max_tokens": 12})
    return workspace


def test_a_tagged_question_is_answered_at_its_temperature_and_the_others_at_the_job_s(tmp_path: Path) -> None:
    mixed = workspace_with(tmp_path / "mixed", BY_TAG, 0.7)
    at = {
        name: texts_of(answered(transformers, workspace_with(tmp_path / name, {}, temperature).job(), QUESTIONS))
        for name, temperature in [("math", 0.0), ("writing", 1.3), ("stem", 0.7)]
    }
    found = texts_of(answered(transformers, mixed.job(), QUESTIONS))
    assert found == {(one.id, 0): at[one.tags["category"]][one.id, 0] for one in QUESTIONS}
    assert len({tuple(texts.values()) for texts in at.values()}) == 3


@pytest.mark.parametrize("engine", [transformers, endpoint])
def test_the_temperature_is_in_the_key_and_one_that_is_the_job_s_changes_none(tmp_path: Path, engine: Any) -> None:
    served: dict[str, Any] = {"engine": "endpoint", "prompt": "chat", "base_url": "http://localhost:9/v1"}
    own = served if engine is endpoint else {}

    def keys(name: str, by_tag: dict[str, Any]) -> list[str]:
        job = workspace_with(tmp_path / name, by_tag, 0.7, **own).job()
        return [request.key for request in rendered(engine, job, QUESTIONS)]

    plain, mixed, same = keys("a", {}), keys("b", BY_TAG), keys("c", {"category": {"math": 0.7}})
    assert plain == same
    assert [one == other for one, other in zip(plain, mixed, strict=True)] == [False, False, True] * 3


def test_a_job_elsewhere_is_told_the_tags_that_it_needs_and_no_other() -> None:
    tagged = QUESTIONS[0].model_copy(update={"tags": {"category": "math", "team": "secret"}})
    assert without_answers(tagged, BY_TAG).tags == {"category": "math"}
    assert without_answers(tagged, {}).tags == {}


def test_a_tag_that_no_column_holds_is_refused() -> None:
    settings = own_settings()
    settings["generate"]["temperature_by_tag"] = BY_TAG
    with pytest.raises(ValueError, match="temperature_by_tag"):
        Params.model_validate(settings)
    settings["questions"]["tag_columns"] = ["category"]
    Params.model_validate(settings)
