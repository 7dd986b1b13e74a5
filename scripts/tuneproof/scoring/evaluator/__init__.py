"""A small model that learns a criterion from labelled answers, and scores with it: `load(folder).score(...)`.

It may import what scoring may, and no other way of scoring.
Begin with contract.py, then loading.py.
"""

from tuneproof.scoring.evaluator.contract import Scored
from tuneproof.scoring.evaluator.loading import Evaluator, load

__all__ = ["Evaluator", "Scored", "load"]
