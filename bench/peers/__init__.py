"""What the server is measured beside. Each runs as a process of its own, or in this one."""
