"""The results as datasets and model cards on the Hub.

It may import what results may.
Begin with dataset.py.
"""
