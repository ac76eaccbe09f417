"""Measured speed against a plain schedule of the same mathematics."""
