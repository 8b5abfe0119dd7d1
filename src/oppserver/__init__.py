"""oppserver: a self-hosted server with the Opportunity API."""

__version__ = "0.1.0"
