"""What to know before a gain is believed: where it begins, and what else may explain it.

It may import what words may.
Begin with levels.py.
"""
