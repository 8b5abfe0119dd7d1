"""HTTP: routes, intake, streams, OpenAPI, health, metrics."""
