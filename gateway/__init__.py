"""The gateway: takes messages from the broker, makes each safe, and answers.

    source (port) ──take──▶ consumer ──▶ ingest.judge ──▶ ledger.commit ──fsync──▶ receipts ──▶ ack
      ├─ mqtt    paho, manual ack, QoS 1, a persistent session
      └─ memory  the same without a broker

    topics     what a topic names, pure        receipts   verdicts as messages, pure
    told       hello and state as facts, pure  commands   welcome, resend, slow_down, pure
    buffer     from the network to the worker  counts     what became of messages, for metrics
    rounds     several times a second, unasked: resend of gaps, verdicts on contents, ``in_record``
    broker/    the broker itself and the accounts it lets in

Readings, parts of blobs, hello and state come the same way, from a device or from the hub that speaks for it; answers
go to whoever spoke. Always in this order: commit, publish the receipts, acknowledge. Knows no FHIR, no patient, and not
what is in a content.
"""
