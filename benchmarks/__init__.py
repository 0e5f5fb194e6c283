"""What this package costs, side by side with its predecessors. Run ``python -m benchmarks`` (or ``make bench``).

Each figure is taken in processes of their own, in turn (bare, theirs, ours, bare, theirs, ours …), as CPU time, and
told as a median and a ratio: on a shared machine a lone absolute time says little.
"""
