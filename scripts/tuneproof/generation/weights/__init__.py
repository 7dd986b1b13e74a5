"""What the engines share that load weights: prompts as tokens, how an answer is drawn, how broken weights show.

It may import what generation may.
Begin with tokens.py.
"""
