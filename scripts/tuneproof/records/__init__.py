"""What stages hand on: paths, rows, keys, whole files, and the ledger of all that was paid for.

It may import common only.
Begin with rows.py and ledger.py.
"""
