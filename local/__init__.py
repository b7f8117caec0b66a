"""The embedded stack: real servers, the API and the worker as supervised child processes."""
