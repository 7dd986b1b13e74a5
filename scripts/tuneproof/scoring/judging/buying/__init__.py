"""Buying replies: one at a time or in batches, within a budget, never twice.

It may import what scoring may.
Begin with purchases.py.
"""
