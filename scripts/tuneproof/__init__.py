"""What the stage scripts share, in rooms: four along the flow, six that serve them.

inputs, generation, scoring and results never import each other: they meet in records (CONTRIBUTING.md).
Begin with records/ledger.py, scoring/judging/rubric/reading.py and statistics/differences.py.
"""
