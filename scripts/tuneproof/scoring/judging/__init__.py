"""A judge's scores and preferences: what it is asked, what its replies are worth, buying what the ledger lacks.

It may import what scoring may.
Begin with cases.py, then settling.py.
"""
