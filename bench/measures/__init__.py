"""The measures of the table, by subject."""
