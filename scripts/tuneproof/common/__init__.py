"""What knows nothing of models, judges or scores: errors, whole files, places, progress, interrupts.

It imports the standard library and small libraries only.
Begin with errors.py.
"""
