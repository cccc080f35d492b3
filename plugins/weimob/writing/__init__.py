"""The targets' writers."""
