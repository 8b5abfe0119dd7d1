"""One module per call of the API: its steps, in order."""
