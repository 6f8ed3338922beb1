"""The gateway: takes messages from the broker, makes each safe, and answers.

    source (port) ──take──▶ consumer ──▶ ingest.judge ──▶ ledger.commit ──fsync──▶ receipts ──▶ ack
      ├─ mqtt    paho, manual ack, QoS 1, a persistent session
      └─ memory  the same without a broker

    topics     what a topic names, pure        receipts   verdicts as messages, pure
    told       hello and state as facts, pure  commands   welcome, resend, slow_down, pure
    broker/    the broker itself and the accounts it lets in

Always in this order: commit, publish the receipts, acknowledge. Knows no FHIR, no patient.
"""
