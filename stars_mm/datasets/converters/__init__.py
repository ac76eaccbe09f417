"""Parts of the converters under ``tools/data/``."""
