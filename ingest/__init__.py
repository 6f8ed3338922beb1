"""What a reading is, when it is right, and where it is kept. Knows no broker, no web, no FHIR.

The way of one reading, with the type that stands for it at each stage::

     device       gateway                     ingest                      registry        fhir_export        record
       | bytes     RawMessage + Facts
       +--MQTT--> source -> consumer -> judge -> ledger.commit(batch)
       |            ^          |                    | journal: raw bytes, verdict, measurements
       <-- receipt ------------+<-- after fsync ----+
       |            +-- ack <--+                    |
                                                    |
                        series <---- projector <----+
                                                    +--> attribution -> publish -> mapping -> FEED of versions
                                                         (patient by    |            |           |
                                                          the time of   |            +--> push --PUT--> FHIR server
       <-- receipt "in_record" -------------------------- measurement,  +<---------- confirmed --+
                                                          or the inbox)
       practice software --GET /fhir--> pull: reads the feed

``RawMessage -> Judged (verdict, measurements) -> Entry -> Attributed -> ResourceVersion -> Delivery``

Nothing is acknowledged before it is on stable storage, nothing is dropped without a named reason, and no value,
unit, time or patient is ever guessed.
"""
