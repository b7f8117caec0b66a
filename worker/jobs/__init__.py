"""arq entry points, shallow: the only room of the worker that opens the door to services."""
