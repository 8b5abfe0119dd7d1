"""Leads: read, created, changed."""
