"""What the stage scripts share, in rooms: four along the flow, six that serve them.

inputs, generation, scoring and results never import each other: they meet in records (CONTRIBUTING.md).
Begin with records/ledger.py, scoring/judging/rubric/reading.py and statistics/differences.py.
"""

import sys

from tuneproof.common.errors import interrupted_outside_of_run

sys.excepthook = interrupted_outside_of_run  # here, for Ctrl-C comes while a script's other imports still load
