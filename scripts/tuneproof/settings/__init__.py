"""params.yaml, typed: a module for each part of the flow; unknown keys are refused.

It may import records and common.
Begin with params.py.
"""
