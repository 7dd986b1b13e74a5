"""Asks people: a page on which they rate answers blind, and the labels that come of it.

Reads   params.yaml, data/questions.jsonl, data/answers/*.jsonl, data/resolved/judge.json, data/labels/*.jsonl; where
        they are there data/judgements/*.jsonl, data/comparisons/*.jsonl and data/details/*.json
Writes  data/labels/<rater>.jsonl, at every key press
Run     python scripts/annotate.py --rater NAME [NAME ...]
        python scripts/annotate.py --export FILE, --import FILE    labels for other tools and back: .json for Label
                                                                   Studio, .csv for anything else
        python scripts/annotate.py --plan                          how many more labels would decide what is open
"""

import argparse
import getpass
import os
import re
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlencode

from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_text
from tuneproof.endpoint.listening import listen, require_packages
from tuneproof.records.handovers import DETAILS_DIRECTORY, EVALUATORS_DIRECTORY, JUDGE, QUESTIONS, raters, read_labels
from tuneproof.records.rows import RATER_NAME, Question
from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.model import Details, WinRateDetails, read_details
from tuneproof.scoring.evaluator.contract import MANIFEST
from tuneproof.scoring.evaluator.loading import load
from tuneproof.scoring.people.asking.doubts import Doubts, Scorer, doubts_of_evaluators
from tuneproof.scoring.people.asking.exchange import from_csv, from_label_studio, require_steps, to_csv, to_label_studio
from tuneproof.scoring.people.asking.items import Item, items_of_run, shuffled
from tuneproof.scoring.people.asking.labels import RaterLabels, round_of
from tuneproof.scoring.people.asking.page.server import new_token, serve
from tuneproof.scoring.people.asking.planning import WIN_RATE, Open, needs, plan_lines
from tuneproof.scoring.people.asking.session import Session
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.settings.worlds import world_params

LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (to tell what was asked for)
MOST_EVALUATED = 1_000  # answers; a larger evaluator takes some 50 ms for each
OPEN_VERDICTS = ("undecided", "too few", "no verdict")
OPEN_GUARDS = ("open", "too few")
BYTE_ORDER_MARK = "\ufeff"  # by which spreadsheets know that a CSV is UTF-8


def main() -> None:
    """Serves the page until Ctrl-C, or does what one of the other options says."""
    arguments = parse_arguments()
    if not (arguments.plan or arguments.export_to or arguments.import_from):
        require_packages("annotate")
    params = load_params()
    params = world_params(params, JUDGE.read().run)
    questions = {one.id: one for one in QUESTIONS.read()}
    if arguments.plan:
        plan(params, questions)
        return
    undecided = [one.model for one in details_of(params) if is_open(one)]
    items = items_of_run(params, questions, undecided, evaluators_doubts(params, questions))
    if arguments.export_to:
        export_labels(arguments.export_to, params, items)
    elif arguments.import_from:
        import_labels(arguments.import_from, params, arguments.rater)
    else:
        ask(arguments, params, items)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rater_help = "who rates; several get an address each (default: your login name)"
    parser.add_argument("--rater", nargs="+", metavar="NAME", type=rater_name, help=rater_help)
    host_help = "where to listen (default: this machine alone). Others then need the address with its token"
    parser.add_argument("--host", default=LOOPBACK, help=host_help)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    instead = parser.add_mutually_exclusive_group()
    export_help = "write what is asked and all labels to a .json (Label Studio) or .csv file"
    instead.add_argument("--export", dest="export_to", metavar="FILE", type=Path, help=export_help)
    import_help = "add the labels of such a file; --rater says whose they are where it does not"
    instead.add_argument("--import", dest="import_from", metavar="FILE", type=Path, help=import_help)
    instead.add_argument("--plan", action="store_true", help="how many more labels would decide what is open")
    return parser.parse_args()


def rater_name(text: str) -> str:
    """A rater's name, which becomes a file's."""
    if not re.fullmatch(RATER_NAME, text):
        raise argparse.ArgumentTypeError("a name has up to 40 of a-z, 0-9, _ and -, and no - first")
    return text


def login_name() -> str:
    """The name of who is logged in, as far as a file may have it."""
    with suppress(OSError, KeyError):
        name = re.sub(r"[^a-z0-9_]+", "-", getpass.getuser().lower()).strip("-")[:40]
        return name or "me"
    return "me"


def ask(arguments: argparse.Namespace, params: Params, items: list[Item]) -> None:
    """Serves the page to every rater, each with a token, until Ctrl-C."""
    names = list(dict.fromkeys(arguments.rater or [login_name()]))
    random = sum(item.drawn == "random" for item in items)
    say(f"annotate: {random} drawn at random and {len(items) - random} chosen, for {', '.join(names)}")
    with ExitStack() as stack:
        sessions = {
            new_token(): Session.begin(stack.enter_context(RaterLabels.opened(rater)), items, params) for rater in names
        }
        listening = stack.enter_context(listen(arguments.host, arguments.port))
        host = "localhost" if arguments.host in EVERYWHERE else arguments.host
        shown = f"[{host}]" if ":" in host else host
        for token, session in sessions.items():
            address = f"http://{shown}:{listening.getsockname()[1]}/?{urlencode({'token': token})}"
            print(f"{session.labels.rater}: {address}", flush=True)
            if len(sessions) == 1 and not arguments.no_browser and has_display():
                webbrowser.open(address)
        if arguments.host in EVERYWHERE:
            say("annotate: from another machine, put this one's name in the place of localhost")
        say("annotate: every rating is saved at once; end with Ctrl-C")
        with suppress(KeyboardInterrupt):
            serve(sessions, listening)
        for session in sessions.values():
            say(f"annotate: {session.summary()}")


def has_display() -> bool:
    """Whether a browser can show anything here; without one Python might start one in the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def details_of(params: Params) -> list[Details]:
    """What aggregate found out about each model; empty where it has not run."""
    paths = [DETAILS_DIRECTORY / f"{model}.json" for model in params.models]
    return [read_details(path) for path in paths if path.is_file()]


def evaluators_doubts(params: Params, questions: Mapping[str, Question]) -> Doubts:
    """Where the evaluators that there are and the judge are apart, of the first answers in the order of the draw."""
    folders = {name: EVALUATORS_DIRECTORY / name for name in params.judge.criteria} if params.people.chosen else {}
    scorers = {name: scorer_of(folder) for name, folder in folders.items() if (folder / MANIFEST).is_file()}
    if scorers:
        say(f"annotate: looking where judge and evaluator disagree on {', '.join(scorers)}")
    among = shuffled(questions, params.people.seed)[: MOST_EVALUATED // len(params.models)]
    return doubts_of_evaluators(params, questions, set(among), scorers)


def scorer_of(folder: Path) -> Scorer:
    """What scores as the evaluator in a folder does."""
    evaluator = load(folder)
    return lambda rows: (one.score for one in evaluator.score_table(rows))


def is_open(details: Details) -> bool:
    """Whether a model is not decided on."""
    return details.decision.ship == "not yet" if details.decision else details.verdict in OPEN_VERDICTS


def export_labels(path: Path, params: Params, items: list[Item]) -> None:
    """Writes what is asked and every rater's labels."""
    labels = [label for rater in raters() for label in RaterLabels(rater)]
    if suffix_of(path) == ".json":
        write_text(path, to_label_studio(items, labels))
    else:
        write_text(path, BYTE_ORDER_MARK + to_csv(items, labels, list(params.judge.criteria)))
    say(f"annotate: wrote {len(items)} items and {len(labels)} labels to {path}")


def import_labels(path: Path, params: Params, rater: list[str] | None) -> None:
    """Adds the labels of a file, each in the place of one with the same rater and key; all of them or none."""
    read = from_label_studio if suffix_of(path) == ".json" else from_csv
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = "it is not UTF-8 text" if isinstance(error, ValueError) else f"it cannot be read ({error.strerror})"
        raise UserError(str(path), found, "name an export that can be read") from None
    defaults = {"round": round_of(params.instructions), "instructions": params.instructions}
    labels = read(text, rater[0] if rater else None, defaults)
    scales = {name: criterion.scale for name, criterion in params.judge.criteria.items()}
    require_steps(labels, scales, params.instructions)
    with ExitStack() as stack:
        names = sorted({label.rater for label in labels})
        opened = {name: stack.enter_context(RaterLabels.opened(name)) for name in names}
        for name, own in opened.items():
            own.save(label for label in labels if label.rater == name)
    say(f"annotate: {len(labels)} labels of {', '.join(names) or 'nobody'} from {path}")


def suffix_of(path: Path) -> str:
    """How a file's name ends; raises a UserError for a form that there is not."""
    suffix = path.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise UserError(str(path), "its name says no form", "end it in .json (Label Studio) or .csv")
    return suffix


def plan(params: Params, questions: Mapping[str, Question]) -> None:
    """Prints how many more labels would decide what is open."""
    details = details_of(params)
    if not details:
        raise UserError(str(DETAILS_DIRECTORY), "nothing has been decided or left open yet", "run `dvc repro` first")
    undecided = [one for each in details for one in open_decisions(each)]
    labels = read_labels(params.instructions)
    say(f"annotate: {len(undecided)} decisions are open, {len(labels)} labels with the present instructions")
    for line in plan_lines(needs(undecided, labels, questions, params), params):
        print(line)


def open_decisions(details: Details) -> Iterator[Open]:
    """What is open of a model, on the criteria that people can rate."""
    for name, one in details.criteria.items():
        criterion = details.run.criteria[name]
        if criterion.source != "judge" or one.verdict is None:
            continue
        guard = details.decision.guards.get(name) if details.decision else None
        if guard:
            if guard.outcome in OPEN_GUARDS:
                yield Open(details.model, name, "guard", details.run.alpha, guard.margin)
        elif criterion.role == "improves" and any(each in OPEN_VERDICTS for each in verdicts_of(one)):
            yield Open(details.model, name, "improves", (one.level or details.run.alpha) / 2)
    if details.win_rate and any(each in OPEN_VERDICTS for each in verdicts_of(details.win_rate)):
        yield Open(details.model, WIN_RATE, "improves", details.win_rate.level / 2)


def verdicts_of(one: CriterionDetails | WinRateDetails) -> tuple[str | None, str | None]:
    """The verdict that counts, and people's where there are labels enough for one."""
    return one.verdict, one.people.verdict if one.people else None


if __name__ == "__main__":
    run(main)
