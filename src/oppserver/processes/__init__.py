"""Server processes: one alone, or several workers and the parent that looks after them."""
