"""The streams, one module per kind."""
