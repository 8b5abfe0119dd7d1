"""The promises to callers. Pure; imports nothing else of ours."""
