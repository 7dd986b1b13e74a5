"""What an answer is worth, and who says so; each scorer is a room of its own.

Scorers may import endpoint, sources, statistics, settings, records and common, never each other.
Begin with judging.
"""
