"""What people say of answers: which are asked, the page that asks, and the labels that come of it.

It may import statistics, settings, records and common.
Begin with matching.py.
"""
