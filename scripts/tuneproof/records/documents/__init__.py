"""The single JSON files that stages hand on beside rows: what validate resolved, and what admit and agree found.

May import the rest of records and common. Begin with resolved.py.
"""
