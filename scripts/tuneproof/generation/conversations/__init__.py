"""Questions turn by turn: what a model is asked next, and what of its earlier answers it is told.

They may import what generation may; the engines and jobs know what is asked.
Begin with messages.py.
"""
