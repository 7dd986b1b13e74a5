"""The small judge of the demonstration, which needs no key and no network.

It may import what scoring may.
Begin with judge.py.
"""
