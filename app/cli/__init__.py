"""The command line: a thin client of the API, and the few commands an administrator runs locally."""
