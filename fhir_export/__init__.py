"""From attributed readings to FHIR R4 resources, and their two ways out: pushed to a record, pulled by software.

    publish ──(mapping, profiles)──▶ FEED of immutable resource versions ──┬─▶ push: delivery, answers ──PUT──▶ a record
                                                                          └─▶ pull: /fhir, for practice software

    mapping    one reading: Observations, report, document or Media, ImagingStudy, Binary; its Provenance last
    rounds     what one round of publishing finds and builds    structure  whether it is FHIR, remembered by shape
    profiles, codes, circumstances: the tables                  binary     a placeholder kept, the content put in

Sits above ``registry`` and ``ingest``. Knows no broker. A resource is built once; its bytes are kept in the feed, and
both ways out send only what is in the feed. Of a Binary the feed has a placeholder; the content, which lies in the blob
store, takes its place on the way out.
"""
