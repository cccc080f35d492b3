"""Rigs of the POS tests."""
