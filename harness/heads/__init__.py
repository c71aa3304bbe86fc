"""Language-model heads on their own: written into a folder by an engine, opened from it without the model."""
