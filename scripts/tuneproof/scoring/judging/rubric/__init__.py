"""What the judge is shown and what its reply is worth, as pure functions.

It may import settings and records; no endpoint, no ledger.
Begin with reading.py.
"""
