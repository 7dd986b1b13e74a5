"""How likely a model holds a text, and what it generates beside the run's questions: for benchmarks.

It may import what generation may, and knows no harness.
Begin with asked.py, then vllm.py; parts.py and answering.py have a job elsewhere answer.
"""
