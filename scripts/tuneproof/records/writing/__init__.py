"""How the ledger comes to disk: its thread, which commits many results at once, and where they wait when it cannot.

May import common. Begin with writer.py.
"""
