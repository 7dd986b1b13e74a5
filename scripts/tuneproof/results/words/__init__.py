"""A run's results in words: shared by the terminal, the pull request's table, the report, the cards and the gate.

It may import details/, and of the other rooms settings and records.
Begin with verdicts.py and decisions.py.
"""
