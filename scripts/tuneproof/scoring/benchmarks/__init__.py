"""What a model can do on benchmarks: a harness's tasks, answered from the ledger or by an engine that is handed in.

It may import endpoint, sources, settings, records and common; no library of a harness at the top of a module.
Begin with asking.py.
"""
