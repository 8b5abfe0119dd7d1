"""Files in and out, in bounded batches."""
