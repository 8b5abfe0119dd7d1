"""Types, their fields, and the details of one opportunity."""
