"""What a job on SageMaker is given: this code, the settings of one model, and the questions that are still open.

Nothing else of the project goes up: no other model, no reference answer, no judge, no secret.
"""

from collections.abc import Container, Sequence
from pathlib import Path

from tuneproof.common.places import SCRIPTS, local_path
from tuneproof.generation.handing_over import FinishedRow, OpenRow
from tuneproof.generation.jobs import Job, Request
from tuneproof.generation.sagemaker.container import OPEN_ROWS_FILE
from tuneproof.generation.sagemaker.work import Size, Work
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel
from tuneproof.records.files import record_text, rows_text
from tuneproof.records.handovers import QUESTIONS, RESOLVED_DIRECTORY
from tuneproof.records.keys import canonical_json
from tuneproof.records.rows import Question, Result
from tuneproof.settings.params import GenerationParams
from tuneproof.settings.reading import PARAMS_FILE, settings_text
from tuneproof.sources.weights.files import model_files

ROOMS = ("common", "endpoint", "generation", "records", "settings", "sources")  # a test compares


def generation(
    job: Job, params: GenerationParams, questions: Sequence[Question], requests: Sequence[Request]
) -> Work[Request, Result]:
    """The work of a job that generates answers. `requests` are all of the model's, also those that are answered."""

    def files(missing: Sequence[Request]) -> dict[str, str | Path]:
        return project_files(job, params, questions, missing)

    def size(request: Request) -> Size:
        return Size(request.turns_to_come, len(request.token_ids), job.sampling.max_tokens)

    first = (request for request in requests if not request.turn)  # there before anything is answered
    keys = frozenset(request.key for request in requests)
    return Work(job, sorted(map(work_of, first)), keys, files, size, FinishedRow[Result])


def work_of(request: Request) -> str:
    """What a first request leads to: its answer, and the later turns where there are any."""
    later = request.conversation.question.all_turns[1:] if request.conversation else []
    return canonical_json([request.key, later]) if later else request.key


def project_files(
    job: Job, params: GenerationParams, questions: Sequence[Question], missing: Sequence[Request]
) -> dict[str, str | Path]:
    """The project folder of the job by name: texts, and files of this machine."""
    wanted = {request.id for request in missing}
    asked = [without_answers(question, job.settings.temperature_by_tag) for question in questions]
    return {
        **job_files(job, params),
        str(QUESTIONS.path): rows_text(question for question in asked if question.id in wanted),
        str(OPEN_ROWS_FILE): rows_text(open_row(request) for request in missing),
    }


def job_files(job: Job, params: GenerationParams) -> dict[str, str | Path]:
    """What every job needs: the code, its settings, and its model as validate found it."""
    return {
        **scripts(),
        str(PARAMS_FILE): job_params(job, params),
        str(RESOLVED_DIRECTORY / f"{job.resolved.model}.json"): record_text(in_container(job.resolved)),
    }


def without_answers(question: Question, tags: Container[str]) -> Question:
    """What is asked of a question, with those of its tags that say how."""
    none = None if question.references is None else [None] * len(question.references)
    kept = {tag: value for tag, value in question.tags.items() if tag in tags}
    return question.model_copy(update={"reference": None, "references": none, "tags": kept})


def open_row(request: Request) -> OpenRow:
    """A row to be generated, with what was answered to it before: the job has no ledger."""
    earlier = request.conversation.earlier if request.conversation else ()
    return OpenRow(
        key=request.key, earlier=tuple(FinishedRow[Result](key=one.key, result=one.result) for one in earlier)
    )


def scripts() -> dict[str, str | Path]:
    """generate.py and the whole of the rooms that it reaches: a few hundred kilobytes."""
    package = SCRIPTS / "tuneproof"
    paths = [SCRIPTS / "generate.py", package / "__init__.py"]
    paths += [path for room in ROOMS for path in sorted((package / room).rglob("*.py"))]
    return {f"scripts/{path.relative_to(SCRIPTS)}": path for path in paths}


def job_params(job: Job, params: GenerationParams) -> str:
    """params.yaml of the job: this model alone, run where the job runs."""
    model = job.resolved.model
    # Where the weights lie is in the resolved file; here it would be a path of this machine.
    elsewhere = {"fallback", "revision", "adapter", "adapter_revision"}
    own = params.models[model].model_dump(mode="json", exclude_defaults=True, exclude=elsewhere)
    settings = {
        "embedded": job.resolved.run == "embedded",
        "baseline": model,
        "questions": {"dataset": str(QUESTIONS.path)},
        "models": {model: own | {"id": "as resolved"}},
        "generate": params.generate.model_dump(mode="json"),
        "execution": {"generate": params.execution.generate.of_model(model).model_dump(exclude={"key_variable"})},
    }
    return settings_text(settings)


def in_container(resolved: ResolvedModel) -> ResolvedModel:
    """The resolved model with local folders where the job finds them; its content, and so every key, stays.

    What was asked for is not sent: it may be a path of this machine.
    """
    adapter = resolved.adapter
    if adapter:
        adapter = adapter.model_copy(update={"id": container_id("adapter", adapter)})
    own_id = container_id("model", resolved)
    return resolved.model_copy(update={"id": own_id, "requested": own_id, "adapter": adapter})


def container_id(folder: str, resolved: ResolvedModel | ResolvedAdapter) -> str:
    """The Hub's id, or where an uploaded folder lies beside the job's project folder."""
    return resolved.id if resolved.sha else f"../{folder}"


def local_folders(resolved: ResolvedModel) -> dict[str, dict[str, Path]]:
    """The files of a model and adapter that are local folders, by `model` and `adapter`; empty for the Hub's."""
    parts = {"model": resolved, "adapter": resolved.adapter}
    return {name: folder_files(local_path(part.id)) for name, part in parts.items() if part and not part.sha}


def folder_files(folder: Path) -> dict[str, Path]:
    """The files of a local model folder that matter, by name."""
    return {name: folder / name for name in model_files(path.name for path in folder.iterdir() if path.is_file())}
