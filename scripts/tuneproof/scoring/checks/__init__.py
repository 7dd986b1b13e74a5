"""What programs find in an answer: formats, references, instructions, functions of the user's own; nothing is bought.

It may import settings, records and common.
Begin with checking.py.
"""
