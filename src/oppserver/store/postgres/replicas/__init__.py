"""PostgreSQL with standbys: the primary, the standbys that serve reads, failover."""
