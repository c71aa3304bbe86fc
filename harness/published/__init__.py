"""Results as committed text, ours and reported by others, and all sources of numbers together."""
