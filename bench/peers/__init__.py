"""The peers of the server. Each runs as a process of its own, or in this one."""
