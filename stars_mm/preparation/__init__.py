"""Recordings to annotation files: readers, layouts, conversion, inspection."""
