"""Rows as the bytes of a format: NDJSON, CSV, Arrow, Parquet. Pure; the one room of pyarrow."""
