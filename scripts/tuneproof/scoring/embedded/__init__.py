"""Judges that need no key and no network: frozen evaluators, and the small judge of the demonstration.

It may import what scoring may.
Begin with backend.py.
"""
