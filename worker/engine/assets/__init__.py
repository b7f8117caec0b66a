"""Carries out the steps of an asset release: files of the host are built, published, verified.

The build is a process of its own, the cache keeps what was fetched. What goes wrong is told in
the words of a recipe.
"""
