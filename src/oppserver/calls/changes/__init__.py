"""``GET /v1/changes``: changed and deleted opportunities since a cursor."""
