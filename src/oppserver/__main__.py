"""``python -m oppserver`` is the command ``oppserver``."""

from oppserver.cli.main import main

main()
