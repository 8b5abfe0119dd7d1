"""Rows as bytes: NDJSON, CSV, Arrow, Parquet. Pure; pyarrow's one room."""
