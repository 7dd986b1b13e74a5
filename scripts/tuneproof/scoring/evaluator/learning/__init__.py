"""From labelled answers to an evaluator: examples, their parts, calibration, what it is worth.

It may import what scoring may, and no other way of scoring.
Begin with training.py.
"""
