"""What is done, in which order: one pure module for each kind of job, nothing here waits.

A plan is compiled from a request (a frozen dataclass of facts) into named steps, so that it can be
read, stored and compared before anything runs.
"""
