"""Readers of CSS and JavaScript: where a text names other files, and nothing else."""
