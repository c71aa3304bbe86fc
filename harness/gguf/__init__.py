"""Models that come as GGUF: read, dequantize into a folder in the hub's layout, and hold the tokenizer against the file."""
