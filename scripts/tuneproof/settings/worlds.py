"""The two worlds: the user's own, and the embedded one that needs no GPU, key or network.

They are never mixed: questions, models and judge come from the same world, and every resolved file says which.
"""

from pathlib import Path

from tuneproof.common.errors import UserError, say, warn
from tuneproof.common.places import project_root
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.records.handovers import resolved_model
from tuneproof.records.rows import World
from tuneproof.settings.evidence.admission import Admission
from tuneproof.settings.evidence.benchmarks import EMBEDDED_TASKS_FOLDER, Benchmarks
from tuneproof.settings.evidence.checks import Checks
from tuneproof.settings.evidence.decision import WIN_RATE
from tuneproof.settings.evidence.evaluator import EMBEDDED_BASE, EvaluatorSettings
from tuneproof.settings.evidence.judging import Criterion, Judge
from tuneproof.settings.generation import Model
from tuneproof.settings.params import AnyParams, Params
from tuneproof.settings.reading import PARAMS_FILE, load_params, load_sections

EMBEDDED_DIRECTORY = Path("data/embedded")
EMBEDDED_QUESTIONS_FILE = EMBEDDED_DIRECTORY / "questions.jsonl"
EMBEDDED_GRADED_FILE = EMBEDDED_DIRECTORY / "graded.jsonl"
EMBEDDED_JUDGE_DIRECTORY = EMBEDDED_DIRECTORY / "judge"
EMBEDDED_PART = "test"  # the judge was trained on the other part
EMBEDDED_MAX_TOKENS = 128  # the longest answer that the small models were trained on is shorter
DUMMY_QUESTIONS = 10

EMBEDDED_NOTE = (  # what every run of the embedded world begins and ends with
    "this is the embedded world, whose small models and judge show the pipeline and no ability; "
    "for your own models set `embedded: false` in params.yaml"
)
REHEARSAL = f"this is a rehearsal on the first {DUMMY_QUESTIONS} questions"
REPLACED = (
    "this rehearsal ran on the embedded small models, which show the pipeline and no ability, because this machine "
    "lacks what your models need; validate named it"
)

EMBEDDED_CRITERIA = {
    "accuracy": Criterion(
        question="Is the answer factually correct, and does it answer the question?",
        scale={1: "Wrong, about something else, or empty.", 2: "Partly right.", 3: "Right."},
    ),
    "style": Criterion(
        question="Does it read like a good blog post for practitioners?",
        scale={1: "Formal, academic or padded.", 2: "Readable but stiff.", 3: "Simple and direct."},
    ),
}
EMBEDDED_CHECKS = Checks.model_validate(
    {"finished": {"kind": "finish"}, "no_loop": {"kind": "repetition"}, "shared_words": {"kind": "token_f1"}}
)
EMBEDDED_BENCHMARKS = Benchmarks.model_validate(
    {"tasks": {"best_answer": {"path": f"{EMBEDDED_TASKS_FOLDER}/best_answer.yaml"}}}
)
EMBEDDED_ADMISSION = Admission(questions=str(EMBEDDED_GRADED_FILE), limit=60, on_failure="warn")


def checkpoint_for(key: str, baseline: str) -> Path:
    """Which small checkpoint plays a model: `base` the baseline, `dpo` a key of that name, `sft` every other."""
    name = "base" if key == baseline else "dpo" if key == "dpo" else "sft"
    return EMBEDDED_DIRECTORY / "models" / name


def embedded_params(params: AnyParams) -> AnyParams:
    """The user's settings with questions, models and judge replaced by the embedded ones, all together."""
    sampling = params.generate.sampling.with_defaults()
    short = sampling.model_copy(update={"max_tokens": min(sampling.max_tokens, EMBEDDED_MAX_TOKENS)})
    questions = params.questions.model_copy(
        update={
            "dataset": str(EMBEDDED_QUESTIONS_FILE),
            "fallback": None,
            "subset": None,
            "input_column": None,
            "reference_column": "references",
            "id_column": "id",
            "tag_columns": (),
            "checks_column": None,
            "messages_column": None,
            "turns_column": "turns",
        }
    )
    models = {
        key: Model(id=str(checkpoint_for(key, params.baseline)), prompt="chat", engine="embedded")
        for key in params.models
    }
    execution = params.execution.model_copy(
        update={"generate": params.execution.generate.model_copy(update={"models": {}})}  # whatever hers need
    )
    changes: dict[str, object] = {
        "questions": questions, "models": models, "execution": execution,
        "generate": params.generate.model_copy(update={"sampling": short}),
    }  # fmt: skip
    if isinstance(params, Params):
        changes["judge"] = embedded_judge(params.judge)
        changes["check"] = EMBEDDED_CHECKS
        changes["evaluator"] = embedded_evaluator(params.evaluator)
        changes["benchmark"] = EMBEDDED_BENCHMARKS
        changes["admission"] = EMBEDDED_ADMISSION
        compared = [WIN_RATE] if params.compare.enabled else []
        programs = [*EMBEDDED_CHECKS.ranges, *EMBEDDED_BENCHMARKS.ranges]
        changes["decision"] = params.decision.of_known([*EMBEDDED_CRITERIA, *programs, *compared])
    return params.model_copy(update=changes)


def embedded_evaluator(evaluator: EvaluatorSettings) -> EvaluatorSettings:
    """The user's settings for the embedded judge's criteria alone, from its judgements alone, with no download."""
    known = {name: one for name, one in evaluator.criteria.items() if name in EMBEDDED_CRITERIA}
    return evaluator.model_copy(update={"criteria": known, "base": EMBEDDED_BASE, "data": None})


def embedded_judge(judge: Judge) -> Judge:
    """The user's settings with the embedded judge in place of hers."""
    return judge.model_copy(
        update={
            "backend": "embedded", "model": "embedded", "criteria": EMBEDDED_CRITERIA, "panel": (), "samples": 1,
            "evaluators": {}, "per": "turn",
            "base_url": None, "served_as": None, "api_version": None, "extra_body": {}, "logprobs": False,
        }
    )  # fmt: skip


def world_params(params: AnyParams, world: World) -> AnyParams:
    """The settings that hold in the world that validate chose."""
    return embedded_params(params) if world == "embedded" else params


def say_note(stage: str, note: str, params: Params) -> None:
    """A stage says of a run what it is: as a warning where `dummy: true` may stand in params.yaml by oversight."""
    (warn if params.dummy and stands_in_params() else say)(f"{stage}: {note}")


def world_note(params: Params, world: World) -> str | None:
    """What a run that is not the real one says of itself, and how to leave it; None in a real run."""
    if world == "dummy":
        return rehearsal_note()
    if world == "embedded":
        return replaced_note() if params.dummy else EMBEDDED_NOTE
    return None


def rehearsal_note() -> str:
    """What a rehearsal begins and ends with."""
    if stands_in_params():
        return f"{REHEARSAL}, because `dummy: true` stands in params.yaml; for the real run set `dummy: false`"
    return f"{REHEARSAL}, which was asked of this run only; the real run is `dvc repro`"


def replaced_note() -> str:
    """What a rehearsal ends with that this machine could not do with the user's own models."""
    return f"{REPLACED}. For the real run set `dummy: false`" if stands_in_params() else REPLACED


def stands_in_params() -> bool:
    """Whether `dummy: true` stands in the user's own params.yaml.

    Where it was asked for (`make rehearse`), it stands only in that of the copy which DVC runs in.
    """
    own = project_root() / PARAMS_FILE
    if not own.is_file() or own.samefile(PARAMS_FILE):
        return True
    try:
        return load_params(own).dummy
    except UserError:  # it is being edited: the copy was made of another one
        return False


def model_settings(key: str, kind: type[AnyParams]) -> tuple[ResolvedModel, AnyParams]:
    """What validate made of a model, and the settings of its world, as many as belong to `kind`.

    Raises a UserError when params.yaml has no such model, or another one than was validated.
    """
    params = load_sections(kind)
    if key not in params.models:
        raise UserError(f"model {key[:40]}", "params.yaml has no such model", f"name one of {', '.join(params.models)}")
    resolved = resolved_model(key)
    settings = world_params(params, resolved.run)
    if settings.generation(key).engine != resolved.engine:
        found = f"its engine was {resolved.engine} when it was validated"
        raise UserError(f"model {key}", found, "run `dvc repro` or `python scripts/validate.py` first")
    return resolved, settings
