"""Any number of ids in, or a whole type; rows out as a stream."""
