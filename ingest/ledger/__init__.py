"""The ledger: one relational schema in which everything is kept before anyone is told that it is.

    port        what the gateway asks of a ledger, and when
    schema      the tables, as data
    writer      the one way to write: jobs, one transaction, one fsync, then the answers
    jobs        what a transaction does, each job apart
    engine      what the ledger needs to know of its engine: faults, the watermark
    sqlite      the embedded engine: pragmas, the lock that keeps writers apart, readers
    postgres    the server: lanes that keep writers apart, the proof of the watermark
    journal     a batch of judged messages -> rows, and what to answer each
    reaching    a server's address, engines, statements and errors on the way
    numbers     a database's rights and sequences, seen to when it is opened
    held        what a batch may repeat, asked one by one or together
    streams     sequence numbers seen and missing, as rows
    integrity   row hashes, balance, verify
    memory      the same port without a file
    migrations  every released schema's way to this one (Alembic)

Knows no broker, no HTTP, no FHIR. Append-only: journal, reading, measurement, recording, feed, audit.
"""
