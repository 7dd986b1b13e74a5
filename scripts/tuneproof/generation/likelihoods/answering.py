"""What a job elsewhere runs for a benchmark: vLLM answers the open requests, in tokens, and each is handed over.

python -m tuneproof.generation.likelihoods.answering <model> --only FILE --rows DIRECTORY
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from tuneproof.common.errors import run, say
from tuneproof.common.progress import Progress
from tuneproof.common.windows import work_through
from tuneproof.generation.engines.vllm import start_engine
from tuneproof.generation.handing_over import handed_over
from tuneproof.generation.jobs import Job
from tuneproof.generation.likelihoods.parts import Given, OpenRow, Part
from tuneproof.generation.likelihoods.vllm import VllmModel
from tuneproof.generation.weights.tokens import job_tokenizer
from tuneproof.records.files import read_rows
from tuneproof.settings.params import GenerationParams
from tuneproof.settings.worlds import model_settings
from tuneproof.sources.folders import tokenizer_folder


def main() -> None:
    """Answers every open request, and says how many."""
    arguments = parse_arguments()
    resolved, params = model_settings(arguments.model, GenerationParams)
    execution = params.execution.generate.of_model(arguments.model)
    job = Job(resolved, params.models[arguments.model], params.generation(arguments.model), execution)
    rows = read_rows(arguments.only, OpenRow, made_by="benchmark.py")
    tokenizer = job_tokenizer(job, tokenizer_folder(resolved))
    what = f"benchmark {arguments.model}"
    say(f"{what}: {len(rows)} requests to answer")
    with (
        start_engine(job) as engine,
        handed_over(arguments.rows) as hand_over,
        Progress(what, len(rows), "requests") as progress,
    ):
        answer(rows, VllmModel(engine, tokenizer), hand_over, progress)
    say(f"{what}: answered {len(rows)} requests")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="the model's key")
    parser.add_argument("--only", type=Path, required=True, metavar="FILE", help="the open requests")
    parser.add_argument("--rows", type=Path, required=True, metavar="DIRECTORY", help="where finished rows go")
    return parser.parse_args()


def answer(
    rows: Sequence[OpenRow], model: VllmModel, hand_over: Callable[[str, Given], None], progress: Progress
) -> None:
    """Has the rows answered, so many at once, and hands each over as it is whole."""

    async def respond(row: OpenRow) -> None:
        given = [await part_answered(model, part) for part in row.parts]
        hand_over(row.key, tuple(given))
        progress.advance()

    model.run(work_through(rows, respond, model.at_once))


async def part_answered(model: VllmModel, part: Part) -> tuple[float, bool] | str:
    """One part's text, or its likelihood."""
    if part.wanted:
        return await model.generate(part.token_ids, part.wanted)
    return await model.log_likelihood(part.token_ids, part.start)


if __name__ == "__main__":
    run(main)
