"""The form of what aggregate finds out about each model, and how it is read.

It may import what results may; the words for it live in words/.
Begin with model.py.
"""
