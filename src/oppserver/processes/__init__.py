"""Server processes: one alone, or workers and their parent."""
