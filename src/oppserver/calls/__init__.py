"""The calls of the API: a folder for each subject, and the runner that they share."""
