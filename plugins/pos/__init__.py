"""Points of sale: one plugin per kind of system, each in a folder of its own."""
