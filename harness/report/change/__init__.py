"""What changes in pages between two states of the results, and what must not change unseen."""
