# on every machine: shared_preload_libraries = 'citus', wal_level = logical (to rebalance), the database
# oppserver, and in it:
psql -c "CREATE EXTENSION citus" "$MACHINE"
# then on the coordinator; it needs a password for the others, in its ~/.pgpass:
psql -c "SELECT citus_set_coordinator_host('db0.example.com')" "$COORDINATOR"
psql -c "SELECT citus_add_node('db1.example.com', 5432)" "$COORDINATOR"
export OPPSERVER_DATABASE=postgresql://oppserver@db0.example.com/oppserver
oppserver db upgrade
oppserver db distribute --shards 32 --experimental
oppserver serve --row-cache-bytes 0
