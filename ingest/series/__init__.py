"""The time series: range, bucket and last-value queries for trends and live views.

    port       what a series is asked, and when it is fed
    embedded   tables beside the ledger's own
    influx     InfluxDB 2
    memory     the same port without a store
    projector  feeds it from the journal, by cursor, never in the way of an acknowledgement
    lag        how far behind it is

Fed from the journal and rebuildable from it at any time. No patient stands in it: a patient's trend is asked as the
devices and times that were his.
"""
