"""PostgreSQL with standbys: reads from them, and failover."""
