"""The page with every answer side by side, and the table in the terminal.

It may import what results may.
Begin with page.py.
"""
