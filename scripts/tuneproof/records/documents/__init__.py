"""The single JSON files beside rows: what validate resolved, what admit and agree found, what a harness says.

May import the rest of records and common. Begin with resolved.py.
"""
