"""``/api/v1``: everything the command line does, for software."""
