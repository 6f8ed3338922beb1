"""What a reading is, when it is right, and where it is kept. Knows no broker, no web, no FHIR.

The way of one reading, with the type that stands for it at each stage::

     device       gateway                     ingest                      registry        fhir_export        record
       | bytes     RawMessage + Facts
       +--MQTT--> source -> consumer -> judge -> ledger.commit(batch)
       |            ^          |                    | journal: raw bytes, verdict, measurements
       <-- receipt ------------+<-- after fsync ----+
       |            +-- ack <--+                    |
                                                    |  no content apart: at once; else when it is ready
                                                    +--> attribution -> publish -> mapping -> FEED of versions
                                                         (patient by    |            |           |
                                                          the time of   |            +--> push --PUT--> FHIR server
       <-- receipt "in_record" -------------------------- measurement,  +<---------- confirmed --+
                                                          or the inbox)
       practice software --GET /fhir--> pull: reads the feed       series <-- projector: follows the feed's positions

``RawMessage -> Judged (verdict, measurements) -> Entry -> Attributed -> ResourceVersion -> Delivery``

The way of a content that comes apart (decision record 0004)::

     device       gateway                     ingest
       | reading
       +--------> judge -> ledger.commit ---- journal, CONTENT waiting
       <-- receipt "pending" + missing ------------+
       | parts
       +--------> Piece -> ledger.commit ---- blobs: the file first ---- PIECE, then: CONTENT complete
       <-- receipt "kept" -------------------------+                                      |
                                              inspection: hash, then sandbox.look  <------+
                                                   |      (a child; ``content`` runs in it, without a network)
                                                   +--> ready:   RECORDING, waveform file, DUE -> publish
                                                   +--> refused: QUARANTINE
       <-- receipt "stored" | "quarantined" <--- LATER, told by gateway.rounds

``RawMessage -> Piece -> PieceKept``, ``Blob -> Found -> ready | Rejected``. Parts of a live recording (LIVE, LIVE_PART)
are readings of their own; ``inspection.live`` makes one ``Recording`` of them at the first.

    kinds    one file a kind: values, context, rules      content    looks into files: ECG, pictures
    metrics  one row a quantity: units, limits            sandbox    the child that content runs in, and its parent
    ledger   rows; every write is one transaction         blobs      files by hash; parts by device and hash

Nothing is acknowledged before it is on stable storage, nothing is dropped without a named reason, and no value,
unit, time or patient is ever guessed.
"""
