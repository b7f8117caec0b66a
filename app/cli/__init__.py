"""The command line: a thin client of the API, and a few commands for local administration."""
