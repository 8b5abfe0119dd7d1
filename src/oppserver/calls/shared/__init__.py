"""Modules that several subjects share."""
