"""What helps to understand a result and decides nothing: losses by question, any two models, kinds of question.

It may import what results may.
Begin with changes.py.
"""
