"""Measured numbers and a spec of a table in, a table of strings and its Markdown out."""
