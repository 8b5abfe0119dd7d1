"""PostgreSQL sharded by Citus."""
