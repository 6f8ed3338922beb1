"""Strangers that speak only the wire: devices, hubs, faults, load and a record. They import nothing of ours.

    person ──▶ physiology: one body, hour by hour ──▶ devices/<instrument> ──▶ outbox ──▶ client ──MQTT──▶ the gateway
                                                       INSTRUMENT: a kind     (a file)    parcels: contents in parts
    simulate   one device and its task       hub      hubs that read out meters and speak for them
    load       many devices, lean            faults   what may go wrong, by name and probability
    record/    a FHIR server                 recordings/  a real ECG, a real photograph, and where they come from

All devices of one person agree, because they measure one body. A new kind is one file with ``INSTRUMENT``.
"""
