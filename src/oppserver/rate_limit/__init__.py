"""The rate limit: in the process, in the machine, in Redis or Valkey."""
