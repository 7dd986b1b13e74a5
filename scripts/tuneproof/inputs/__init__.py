"""What validate does: which questions, models and judge are meant.

It may import sources, endpoint, settings, records and common; nothing of generation, scoring or results.
Begin with models.py.
"""
