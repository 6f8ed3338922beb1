"""``python -m app``: the same as ``constantes``."""

from app.cli import main

main()
