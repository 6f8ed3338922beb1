"""Every released schema's way to the present one, by Alembic; run when a ledger is opened."""
