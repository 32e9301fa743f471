"""Scripts that measure, and their results."""

import os

# A user's processes keep what Python compiled, and so do those that are timed.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
