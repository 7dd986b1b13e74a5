"""How far raters agree: people among themselves, a judge with people, a judge with itself in both orders.

Plain arrays in, numbers out; it may import what statistics may.
Begin with raters.py.
"""
