from pathlib import Path
from typing import get_args

from tests.made_up.aggregated_run import details
from tuneproof.results.words.programs import LOOKS_AT, programs_note, refusals_note
from tuneproof.settings.evidence import check_kinds
from tuneproof.settings.evidence.check_kinds import CheckSettings
from tuneproof.settings.evidence.checks import Checks
from tuneproof.settings.worlds import EMBEDDED_CHECKS


def test_every_kind_of_check_has_its_words() -> None:
    found = [one for one in vars(check_kinds).values() if isinstance(one, type) and issubclass(one, CheckSettings)]
    classes = [one for one in found if "kind" in one.__annotations__]
    kinds = {kind for one in classes for kind in get_args(one.model_fields["kind"].annotation)}
    assert len(kinds) > 20
    assert set(LOOKS_AT) == kinds


def test_a_page_says_what_its_checks_look_at_and_what_their_figures_do_not_mean(aggregated: Path) -> None:
    run = details(aggregated, "sft").run
    assert programs_note(run, EMBEDDED_CHECKS) == "", "none of them is in this run"
    named = dict.fromkeys(EMBEDDED_CHECKS.root, run.criteria["style"])
    said = programs_note(run.model_copy(update={"criteria": named}), EMBEDDED_CHECKS)
    assert "no_loop: it falls into no loop of the same words;" in said
    assert said.endswith(
        "Of shared_words: it counts shared words: a good answer in other words scores low, "
        "a wrong one in the same words high."
    )


def test_refusals_of_the_models_are_said_to_be_counted_by_no_one_unless_a_check_does() -> None:
    assert "are not counted" in refusals_note(EMBEDDED_CHECKS)
    assert refusals_note(Checks.model_validate({"helps": {"kind": "refusal"}})) == ""
