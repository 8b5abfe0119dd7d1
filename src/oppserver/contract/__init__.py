"""What callers are promised. Pure; imports nothing else of ours."""
