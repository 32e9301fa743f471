"""Hostile inputs: videos, manifests, servers, pairs of runs, calls and label files that nobody should give to lolhl.

    python -m tests.torture --minutes 60            # every named case, then random ones; the seed is printed
    python -m tests.torture --family videos http    # some families only
    python -m tests.torture --case videos:1234      # one case again: its id decides all that happens in it

A case works in a folder of its own (`sandbox`), calls `lolhl` there (`call`), and says what must hold; what must
always hold is said once, in `sandbox`. Cases are written down by what is hostile, a file for each kind, in
`families`: those with a name are faults that were once there, the others are drawn from a seed. That they find
these faults is seen by `python -m tests.torture.mends`.
"""
