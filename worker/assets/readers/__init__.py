"""Readers of CSS and JavaScript: where a text names other files, and nothing else.

Their patterns repeat possessively, so that nothing is read twice. Each repeated group ends with an
empty alternative: without it Python before 3.11.5 keeps what the last, failed try took.
"""
