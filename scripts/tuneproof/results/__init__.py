"""What scores amount to, in numbers and words.

It may import statistics, sources, settings, records and common; nothing of inputs, generation or scoring.
Begin with details/, the form of the numbers, and words/, their sentences.
"""
