"""lighteval, the second harness: run as a child in an environment of its own, and what it wrote read as rows.

It may import the rest of benchmarks, sources, settings, records and common; lighteval itself nowhere.
Begin with running.py.
"""
