"""Two test workers share two cores: torch's threads, which wait by spinning, would only hold each other up."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
