"""The platform's objects as canonical records. Pure functions."""
