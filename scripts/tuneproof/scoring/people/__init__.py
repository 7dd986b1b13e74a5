"""What people say of answers: asking them (asking), and how far they, the judge and each other agree.

It may import statistics, settings, records and common.
Begin with matching.py.
"""
