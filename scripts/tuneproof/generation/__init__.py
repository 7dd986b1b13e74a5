"""A model's answers, from any engine, on any machine.

It may import endpoint, sources, settings, records and common; nothing of inputs, scoring or results.
Begin with jobs.py, then the engine that you use.
"""
