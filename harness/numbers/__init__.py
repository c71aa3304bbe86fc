"""Statistics: intervals, rounds, documents, pairing. Pure; numpy, and scipy imported inside functions."""
