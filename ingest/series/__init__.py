"""The time series: range, bucket and last-value queries for trends and live views.

    port       what a series is asked, and when it is fed
    embedded   a table of the same SQLite file
    memory     the same port without a file
    projector  feeds it from the journal, by cursor, never in the way of an acknowledgement

Fed from the journal and rebuildable from it at any time. No patient stands in it: a patient's trend is asked as the
devices and times that were his.
"""
