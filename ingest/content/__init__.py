"""Looking into large contents: ECG files and photographs. Runs in the limited child (``ingest.sandbox``) only.

    blob on disk ──▶ look ──┬─ dicom ── ecg_dicom ──┐
                            ├─ edf ─────────────────┼──▶ Found, and a waveform file
                            └─ image (JPEG, PNG) ───┴──▶ Found, and a thumbnail

Refuses to know: readings, patients of ours, the ledger, the network.
"""
