"""One job each; pure: values in, values out. No step imports another."""
