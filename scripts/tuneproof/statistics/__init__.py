"""Numbers in, numbers out; it knows no file and no setting.

It imports numpy and scipy.special only.
Begin with differences.py.
"""
