"""Users, and the user of a call's keys."""
