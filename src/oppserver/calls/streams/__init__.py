"""Streams: ids in, or a whole type; rows out."""
