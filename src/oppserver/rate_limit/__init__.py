"""The rate limit: in the process, the machine, or Redis."""
