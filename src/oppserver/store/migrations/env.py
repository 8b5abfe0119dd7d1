"""Run by Alembic: migrates as the functions of ``migrations`` say."""

from alembic import context

context.configure(**context.config.attributes["context"])

context.run_migrations()
