"""Evaluation protocols, each a function that gives a dict of results."""
