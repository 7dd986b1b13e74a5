"""Asking an OpenAI-compatible server, with retries, limits and keys; and what our own servers have in common.

It may import settings, records and common.
Begin with client.py.
"""
