"""Tables that stand in somebody's page become data and a spec that writes the very same table."""
