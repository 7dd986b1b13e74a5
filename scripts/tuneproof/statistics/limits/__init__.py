"""Where the limits of a mean lie when Student's t alone would miss: rare collapses, yes and no, groups of tasks.

It may import what statistics may.
Begin with collapses.py.
"""
