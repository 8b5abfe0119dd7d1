"""The door: routes, statuses, content negotiation, OpenAPI, health, metrics."""
