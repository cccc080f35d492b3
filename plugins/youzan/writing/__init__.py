"""The targets of the destination, one module per kind."""
