"""Who, where, whose, and who may: devices, patients, assignments, clients, and the verbs that change them.

    operations ──▶ devices · hubs · people · assignments · clients (tables of the ledger)
    attribution (pure): a reading's time + the device's assignments ──▶ a patient, or a doubt for the inbox
    claims: a file that names somebody else, or is claimed twice    ──▶ a doubt for the inbox
    holding: whether a text is in a column, in the words of each engine
    audit: one row, on stable storage, before an answer with patient data leaves

    what people ask:  readings · contents · recordings · trace · trends
                      waiting (inbox, quarantine, gaps, deliveries) · masking · presence · standing

Sits above ``ingest`` and below everything that speaks to the outside. Knows no broker, no HTTP, no FHIR.
"""
