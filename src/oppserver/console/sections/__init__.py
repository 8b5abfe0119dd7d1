"""The sections of the console, each a module and a folder of templates."""
