"""A model's weights, brought into the Hub's cache of the machine that this runs on before they are needed."""

import shutil
import time

from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.sources.folders import not_here
from tuneproof.sources.hub.ahead import Pace, fetch_weights

SECONDS_BETWEEN_LOOKS = 1.0


def wait_for(resolved: ResolvedModel) -> None:
    """Returns when all of a model is here: what is needed now comes first."""
    while not_here(resolved):
        time.sleep(SECONDS_BETWEEN_LOOKS)


def bring(resolved: ResolvedModel, pace: Pace) -> None:
    """Fetches what is missing of a model and its adapter. Raises a UserError, as where the disk has no room."""
    for part in not_here(resolved):
        fetch_weights(part, pace, lambda folder: shutil.disk_usage(folder).free)
