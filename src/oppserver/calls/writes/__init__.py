"""Capture, update, bulk writes and delete of opportunities."""
