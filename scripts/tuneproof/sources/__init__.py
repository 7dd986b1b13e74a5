"""Models and tables, on the Hub or on this disk.

It may import settings, records and common.
Begin with tables.py and hub/repositories.py.
"""
