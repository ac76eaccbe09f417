"""Pictures of a training run and of an annotation file."""
