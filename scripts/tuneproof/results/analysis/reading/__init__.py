"""A run's rows as arrays, read one at a time: the judge's scores, those of other sources, a panel's, what it cost.

It may import what results may.
Begin with scores.py.
"""
