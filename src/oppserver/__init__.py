"""oppserver: a self-hosted server of sales opportunities that speaks the Opportunity API."""

__version__ = "0.1.0"
