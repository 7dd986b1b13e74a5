"""Stops a regression: this run against another revision's, question by question.

It may import what results may.
Begin with findings.py.
"""
