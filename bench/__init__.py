"""Measurements, not tests: ``python -m bench`` measures the server beside its peers."""
