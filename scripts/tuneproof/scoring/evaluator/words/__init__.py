"""A model of words: measured features and TF-IDF terms of an answer, and linear cumulative logits on them.

It may import what scoring may, and no other way of scoring.
Begin with model.py.
"""
