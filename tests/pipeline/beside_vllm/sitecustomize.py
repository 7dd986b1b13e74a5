"""Lets vLLM's own environment find the harness, as where both are installed in one: behind all of its own packages."""

import os
import sys

sys.path.append(os.environ["TUNEPROOF_BASE_PACKAGES"])
