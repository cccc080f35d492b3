"""The targets, one module per kind."""
