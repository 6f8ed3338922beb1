"""What people and their software see of an installation: ``/api/v1`` and, later, pages.

    routes ──▶ registry.operations (verbs) · registry read models ──▶ answers
    office   what every route needs, made by the composition root

Beside ``gateway`` and ``fhir_export``, above ``registry``. Knows no broker, no FHIR, no table of the ledger.
"""
