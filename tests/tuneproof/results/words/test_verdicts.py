from pathlib import Path

from tests.made_up.aggregated_run import aggregate, change_params, details
from tests.made_up.run import Shape, write_run
from tuneproof.results.words.verdicts import card_verdict, row_verdict


def test_a_criterion_on_which_no_verdict_rests_is_shown_only_and_never_undecided(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40))
    change_params(tmp_path, lambda params: params.update(decision={"improves": ["accuracy"]}))
    aggregate(tmp_path)
    for model in ("sft", "dpo"):
        found = details(tmp_path, model)
        assert found.criteria["style"].verdict == "not tested"
        assert card_verdict(found, "style") == row_verdict(found, "style") == "shown only"
        assert card_verdict(found, "accuracy") == found.criteria["accuracy"].verdict
