"""Platform data to canonical records: pure functions."""
