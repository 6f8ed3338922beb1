"""From attributed readings to FHIR R4 resources, and their two ways out: pushed to a record, pulled by software.

    publish ──(mapping, profiles)──▶ FEED of immutable resource versions ──┬─▶ push: delivery, answers ──PUT──▶ a record
                                                                          └─▶ pull: /fhir, for practice software

Sits above ``registry`` and ``ingest``. Knows no broker. A resource is built once; its bytes are kept in the feed, and
both ways out read only the feed.
"""
