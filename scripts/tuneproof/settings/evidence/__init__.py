"""What each kind of evidence asks for, and the plan that decides over all of them: a module for each section.

May import `settings.base` only. Begin with decision.py, which names criteria, and judging.py, which has most of them.
"""
