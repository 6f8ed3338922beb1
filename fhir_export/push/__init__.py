"""Out of the feed into a record: every due resource version, in order, until the record has confirmed it.

    rows: DELIVERY ──▶ plan: waves, batches ──▶ exchange ──▶ Record.send ──▶ answers: the table ──▶ outcomes: DELIVERED,
                                                   │              │                                       CONFIRMED
                                            circuit: the whole    server: FHIR over HTTP
                                            destination waits     memory: in this process

Before a round: ``knowledge``, what the destination said it does (``statement``), and ``forgotten``, what it may have
lost of what it confirmed.

Comes in: delivery rows of one destination. Goes out: PUTs of the feed's own bytes, never anything built here. Refuses
to know: what a resource means, who the patient is, MQTT.

A kill at any instant is harmless: a row stays until the transaction that confirms it, and what is sent again has the
same id and the same bytes. Two deliveries to one destination at once send some versions twice; see ``outcomes.settle``
for what happens when a later version was overtaken that way.
"""

from __future__ import annotations
