"""For use: features of recordings, recognition from a few examples, export."""
