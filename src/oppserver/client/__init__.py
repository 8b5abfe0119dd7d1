"""The typed client. Imports contract/ only. Its issue has not been built yet; the room is empty."""
