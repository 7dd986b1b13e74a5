"""From rows to a model's details: scores by question, gains, verdicts, win rates, cost.

It may import what results may.
Begin with assembling.py.
"""
