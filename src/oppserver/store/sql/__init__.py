"""SQL that both engines share."""
