"""The calls of the API, by subject, and their runner."""
