"""A night: one live comparison of two environments over a sweep, what it found, and what is told of it."""
