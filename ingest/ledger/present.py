"""The verdict on a message as it is now: the journal's row never changes, what was decided since lies beside it.

Comes in: nothing. Goes out: pieces of SQL, one text for both engines. Refuses to know: who asks, what a verdict means.

Three things come after the envelope's verdict: a content that was waited for has come and was looked at (CONTENT of a
blob), a person or the registry had a quarantined message judged again (QUARANTINE, with each decision in REPLAY), or it
was dismissed, which changes nothing that a device is told. A statement that uses them has the journal's row as ``j``.
"""

from __future__ import annotations

BESIDE = """
LEFT JOIN quarantine q ON q.position = j.position AND j.outcome != 'stored'
LEFT JOIN content t ON t.position = j.position AND t.sha IS NOT NULL AND j.outcome != 'stored'
"""
"""What the columns below look at. A content without a hash is a live part's, whose message is stored whatever becomes
of the recording."""
OUTCOME = """
CASE WHEN t.state IN ('waiting', 'complete') THEN 'pending' WHEN t.state = 'refused' THEN 'quarantined'
     WHEN t.state = 'ready' OR q.state = 'replayed' THEN 'stored' ELSE j.outcome END
"""
REASON = """
CASE WHEN t.state IS NOT NULL THEN t.reason WHEN q.state = 'replayed' THEN NULL ELSE coalesce(q.reason, j.reason) END
"""
POINTER = """
CASE WHEN t.state IS NOT NULL THEN t.pointer WHEN q.state = 'replayed' THEN NULL
     WHEN EXISTS (SELECT 1 FROM replay p WHERE p.position = q.position AND p.outcome = 'quarantined')
     THEN (SELECT p.pointer FROM replay p WHERE p.position = q.position AND p.outcome = 'quarantined'
           ORDER BY p.replay DESC LIMIT 1)
     ELSE j.pointer END
"""
