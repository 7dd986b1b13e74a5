"""Asking an OpenAI-compatible server: one request, the policy of retries and limits, who is asked with which key.

It may import settings, records and common.
Begin with client.py.
"""
