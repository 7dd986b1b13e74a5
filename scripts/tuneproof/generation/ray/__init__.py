"""The same engines as actors on a Ray cluster, which pull small windows of work and hand back what has finished.

It may import what generation may; ray only inside functions.
Begin with run.py; replica.py is what runs on the nodes.
"""
