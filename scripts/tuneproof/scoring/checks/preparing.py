"""Loads what checks need before the first of them runs: a check's time is bounded, and libraries start slowly."""

from collections.abc import Mapping

from tuneproof.common.errors import UserError
from tuneproof.records.rows import Question
from tuneproof.scoring.checks.formats import schema_validator
from tuneproof.scoring.checks.instructions import KIND, checkers
from tuneproof.scoring.checks.own import load_function, typed_check
from tuneproof.scoring.checks.references import rouge_scorer, sentence_metric
from tuneproof.scoring.checks.texts import load_languages
from tuneproof.settings.evidence.check_kinds import Function, Instructions, Json, Language, OfQuestion, Rouge, SacreBleu
from tuneproof.settings.evidence.checks import AnyCheck, Checks


def prepare(checks: Checks, questions: Mapping[str, Question]) -> None:
    """Loads libraries, schemas and functions. Raises a UserError that names the check that cannot run here."""
    for name, settings in checks.root.items():
        load(f"check.{name}", settings)
        if isinstance(settings, OfQuestion):
            for question in questions.values():
                for one in question.checks or ():
                    if one["kind"] != KIND:
                        load(f"question {question.id[:40]}", typed_check(one))


def load(where: str, settings: AnyCheck) -> None:
    """Loads what one check needs; `where` names it in an error."""
    for package in settings.missing_packages():
        remedy = "install it with `pip install -c requirements/constraints.txt -r requirements/checks.txt`"
        raise UserError(where, f"the package {package} is not installed", remedy)
    match settings:
        case Json(schema_text=str() as schema):
            schema_validator(schema)
        case Language():
            load_languages()
        case Rouge():
            rouge_scorer(settings.stem)
        case SacreBleu():
            sentence_metric(settings.kind)
        case Instructions():
            checkers()
        case Function():
            load_function(settings)
