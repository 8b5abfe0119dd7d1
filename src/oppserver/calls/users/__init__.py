"""``Users.Get`` and ``UserByAccessKey.Get``: users, and the user of the keys of a call."""
