"""Weights that ship with the package; ``index.json`` says what they are."""
