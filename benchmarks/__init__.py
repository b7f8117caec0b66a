"""Benchmarks: Liftlock's speed beside plain arq and the machine's own limit, in one run."""
