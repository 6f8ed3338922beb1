"""Looks, from outside, for what would lose readings: one module a look, one table of looks, one table of findings.

Comes in: settings. Goes out: findings, each with what happened, what is safe and what to do. Refuses to know: readings,
patients; nothing here writes into the ledger, and what is made at a broker is taken away again.
"""
