"""Asking people: which answers, the page, their labels, other tools, and how many more are needed.

It may import scoring/people/matching.py, statistics, settings, records and common.
Begin with items.py and session.py.
"""
