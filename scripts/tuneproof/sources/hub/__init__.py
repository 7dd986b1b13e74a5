"""The Hugging Face Hub: what is there, pins, downloads, writing.

It may import what sources may; huggingface_hub only inside functions.
Begin with repositories.py.
"""
