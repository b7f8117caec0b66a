"""Where hosts come from: a pool of registered ones, or the operator's own program.

`provider` is the protocol, `executable` the one that runs a program; `lifecycle` makes a machine
and ends it, `sweeping` compares what is listed with what is known. `python -m worker.providers`
tries a program.
"""
