"""The rules: small pure functions from a table to checks."""
