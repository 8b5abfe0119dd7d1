"""Lists and searches of opportunities."""
