"""``GetOpportunitiesById``: up to 2,000 opportunities in one call."""
