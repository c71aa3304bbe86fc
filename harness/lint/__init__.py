"""Find what is wrong in Markdown benchmark tables, ours or others'; nothing is repaired."""
