"""The promises to callers. Pure.

Imports nothing else of ours.
"""
