"""Whether a judge may score: what it is asked first, about answers whose scores are known, and what its replies show.

It may import what scoring may.
Begin with asking.py, then showing.py.
"""
