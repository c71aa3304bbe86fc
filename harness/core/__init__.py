"""What both halves share: errors, identity, metrics, records and seams. Standard library and pydantic only."""
