"""The page on which people rate: one static page, and the server that answers it.

It may import its neighbours in scoring/people/asking, settings, records and common.
Begin with server.py.
"""
