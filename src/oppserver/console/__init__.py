"""The web console and the page of the API."""
