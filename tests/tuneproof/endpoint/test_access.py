import pytest

from tests.conftest import Project
from tests.own_settings import own_params
from tuneproof.common.errors import UserError
from tuneproof.endpoint.access import missing_judge_keys, panel_of, require_keys
from tuneproof.settings.evidence.judging import FurtherJudge, Judge
from tuneproof.settings.execution import JudgeExecution

NO_KEYS, OUR_KEY = JudgeExecution(), JudgeExecution(key_variable="OUR_KEY")
OURS, THEIRS = "http://localhost:8000/v1", "http://elsewhere.test/v1"


def judge(base_url: str | None = None, **further: FurtherJudge) -> Judge:
    settings = {"base_url": base_url, "panel": tuple(further.values())}
    return own_params().judge.model_copy(update=settings)


def keys(settings: Judge, execution: JudgeExecution = NO_KEYS) -> list[str | None]:
    return [one.key_variable for one in panel_of(settings, execution)]


def test_the_openai_key_goes_to_the_first_judge_and_to_openai_only() -> None:
    settings = judge(OURS, a=FurtherJudge(model="a", base_url=THEIRS), b=FurtherJudge(model="b", base_url=None))
    assert keys(settings) == ["OPENAI_API_KEY", None, "OPENAI_API_KEY"]


def test_a_further_judge_gets_the_key_that_is_named_for_its_endpoint() -> None:
    settings = judge(
        a=FurtherJudge(model="a", base_url=THEIRS), b=FurtherJudge(model="b", base_url=THEIRS, served_as="theirs"),
        c=FurtherJudge(model="c"),
    )  # fmt: skip
    named = JudgeExecution(key_variables={THEIRS: "A_KEY", "theirs": "B_KEY", "openai": "C_KEY"})
    assert keys(settings, named) == ["OPENAI_API_KEY", "A_KEY", "B_KEY", "C_KEY"]


def test_judges_at_one_address_share_its_key() -> None:
    settings = judge(OURS, a=FurtherJudge(model="a", base_url=OURS), b=FurtherJudge(model="b"))
    assert keys(settings, OUR_KEY) == ["OUR_KEY", "OUR_KEY", "OPENAI_API_KEY"]


def test_a_redirected_openai_address_is_not_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", OURS)
    settings = judge(None, a=FurtherJudge(model="a", base_url="https://api.openai.com/v1"))
    assert [one.base_url for one in panel_of(settings, NO_KEYS)] == [OURS, "https://api.openai.com/v1"]
    assert list(missing_judge_keys(settings, NO_KEYS)) == ["OPENAI_API_KEY"]
    assert [one.needs_key for one in panel_of(settings, NO_KEYS)] == [False, True]


def test_a_look_alike_of_openai_gets_no_key() -> None:
    settings = judge(OURS, a=FurtherJudge(model="a", base_url="https://api.openai.com.evil.test/v1"))
    assert keys(settings)[1] is None


def test_one_model_at_two_endpoints_is_two_judges_unless_the_environment_makes_them_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = judge(a=FurtherJudge(model="gpt-4o-mini", base_url=OURS))
    assert len(panel_of(settings, NO_KEYS)) == 2
    monkeypatch.setenv("OPENAI_BASE_URL", OURS)
    with pytest.raises(UserError, match="gpt-4o-mini at http://localhost:8000/v1 is asked twice"):
        panel_of(settings, NO_KEYS)


@pytest.mark.parametrize(
    ("panel", "judge_and_endpoint"),
    [
        ([{"model": "gpt-4o-mini"}], "gpt-4o-mini at openai"),
        ([{"model": "x", "served_as": "a"}, {"model": "x", "served_as": "a", "base_url": OURS}], "x at a"),
    ],
)
def test_the_same_judge_twice_is_refused_with_the_settings(
    project: Project, panel: list[dict[str, str]], judge_and_endpoint: str
) -> None:
    project.set(judge__panel=panel)
    assert f"panel: {judge_and_endpoint} is asked twice; name it once" in project.error_line("validate.py")


def test_a_missing_key_is_named_once_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = judge(OURS, a=FurtherJudge(model="a", base_url=OURS))
    assert list(missing_judge_keys(settings, OUR_KEY)) == ["OUR_KEY"]
    with pytest.raises(UserError, match="there is no OUR_KEY; set OUR_KEY in the environment"):
        require_keys(settings, OUR_KEY)
    monkeypatch.setenv("OUR_KEY", "secret")
    require_keys(settings, OUR_KEY)
    assert [one.api_key for one in panel_of(settings, OUR_KEY)] == ["secret", "secret"]
    assert "secret" not in repr(panel_of(settings, OUR_KEY))


def test_a_private_endpoint_needs_no_key_and_the_embedded_judge_none_at_all() -> None:
    require_keys(judge(OURS), NO_KEYS)
    assert list(missing_judge_keys(judge().model_copy(update={"backend": "embedded"}), NO_KEYS)) == []
