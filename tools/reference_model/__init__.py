"""How the reference model, its texts and its questions are made."""
