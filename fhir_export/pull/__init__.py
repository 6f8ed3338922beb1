"""The pull interface: practice software reads and searches the feed as FHIR R4.

    routes ──▶ negotiation · clients (who may) ──▶ parameters ──▶ search ──▶ bundle ──▶ audit ──▶ the answer
                                                       │            ▲
                                                  capability      cursor

Reads only FEED, RESOURCE, IDENTIFIER and, for a Binary, its blob; writes only audit rows. A resource's stored bytes are
passed on as they are; a Binary's placeholder is filled as they leave.
"""
