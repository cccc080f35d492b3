"""The simulated chain: one synthetic population, seen through local copies of every platform's API."""
