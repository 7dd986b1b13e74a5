"""Evaluators as an HTTP service: who may ask, how much at once, and what is answered when time runs out.

It may import scoring/evaluator and what scoring may; nothing imports it but its script.
Begin with desk.py, then app.py.
"""
