"""What becomes of contents once they have come: the second judgement.

    CONTENT complete ──▶ inspector ──▶ hash ──▶ limited child (``ingest.sandbox``) ──▶ ready | refused ──▶ LATER, DUE
    LIVE open        ──▶ live ───────▶ one recording of its parts ────────────────▶ ready | refused ──▶ DUE

Refuses to know: patients, FHIR, how a verdict reaches a device.
"""
