"""What the page's sections show beside the details: where a model loses, answers as they lie there, benchmarks.

It may import what results may.
Begin with losses.py.
"""
