-- What `db distribute` asks of Citus, for tests: it remembers what was asked and moves nothing.
-- Names, parameters and columns are those of Citus 14.

CREATE TABLE pg_dist_local_group (groupid int NOT NULL);
INSERT INTO pg_dist_local_group VALUES (0);

CREATE TABLE pg_dist_partition (
    logicalrelid regclass PRIMARY KEY,
    partmethod "char" NOT NULL,
    partkey text,
    colocationid int NOT NULL,
    repmodel "char" NOT NULL
);
CREATE TABLE asked (place int GENERATED ALWAYS AS IDENTITY, what text NOT NULL);

CREATE FUNCTION column_to_column_name(table_name regclass, column_var_text text) RETURNS text
    LANGUAGE sql AS 'SELECT column_var_text';

CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
    INSERT INTO asked (what) VALUES ('reference ' || table_name);
    INSERT INTO pg_dist_partition VALUES (table_name, 'n', NULL, 1, 't');
$$;

CREATE FUNCTION create_distributed_table(
    table_name regclass,
    distribution_column text,
    colocate_with text DEFAULT 'default',
    shard_count int DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO asked (what) VALUES (
        format('distributed %s by %s with %s in %s', table_name, distribution_column,
            colocate_with, coalesce(shard_count::text, 'as many'))
    );
    INSERT INTO pg_dist_partition VALUES (table_name, 'h', distribution_column, 2, 's');
$$;

CREATE FUNCTION truncate_local_data_after_distributing_table(function_name regclass)
    RETURNS void LANGUAGE sql AS $$
    INSERT INTO asked (what) VALUES ('leftovers of ' || function_name);
$$;
