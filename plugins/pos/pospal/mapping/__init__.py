"""The platform's rows as canonical records. Pure functions."""
