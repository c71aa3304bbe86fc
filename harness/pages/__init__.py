"""Markers in Markdown pages: fill them, check them, tell what changed, numbers in prose."""
