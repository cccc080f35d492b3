"""Youzan's JSON to canonical records and back. Pure functions."""
