"""The streams of the source, one module per kind."""
