"""Asset releases: collect, bundle, rewrite, hash, compress and publish static files.

Knows trees of files and object stores, nothing of jobs or hosts: `python -m worker.assets`.
"""
