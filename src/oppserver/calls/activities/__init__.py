"""Activities: posted and read."""
