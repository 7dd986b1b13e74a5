"""The engines; each is a module named as its value in params.yaml, with `renderer` and `start`.

They may import what generation may; heavy libraries only inside functions.
Begin with recorded.py.
"""
