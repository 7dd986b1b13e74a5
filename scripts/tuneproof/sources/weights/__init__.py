"""Model folders: which files matter, what their headers say, whether an adapter fits.

It may import what sources may.
Begin with files.py.
"""
