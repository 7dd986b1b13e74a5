"""The answer browser of the page: its questions within a size (`data.py`), and its script.

It may import what `results` may. Begin with `data.py`.
"""
