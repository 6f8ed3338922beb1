"""Whatever is asked: an answer or a named refusal, in FHIR, and nothing of the question in it."""

from urllib.parse import quote_from_bytes

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_export.pull.parameters import SHAPES
from fhir_export.pull.served import TYPES
from tests.pull.clinic import Clinic, TestClient, valid

NAMES = sorted({parameter.name for known in TYPES.values() for parameter in known} | set(SHAPES))
MODIFIERS = ["", "", "", ":Patient", ":missing", ":exact", ".name", ":"]
PARTS = [
    "p1", "Patient/p1", "http://loinc.org|8310-5", "2026-11-21", "ge2026", "T10:00:00Z", "|", ",", "\\", "$",
    "\x00", "\ud800",
    "NaN", "1e400", "-1", "0", "1", "1000", "count", "json", "xml", "true", "'", '"', "%", "_", "\u202e", "9" * 30,
    " ", "+", "é",
]  # fmt: skip

texts = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=5).map("".join),
    st.text(st.characters(codec="utf-8"), max_size=30),
)
encoded = texts.map(lambda one: quote_from_bytes(one.encode("utf-8", "surrogatepass")))
raw = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?"), max_size=30)
names = st.tuples(st.sampled_from([*NAMES, "colour"]), st.sampled_from(MODIFIERS)).map("".join)
queries = st.lists(st.tuples(st.one_of(names, raw), st.one_of(encoded, raw)).map("=".join), max_size=6).map("&".join)
SEGMENTS = ["Observation", "Patient", "p1", "_search", "_history", "", ".", "..", "%00", "%2f", "metadata"]
STATUSES = {200, 304, 400, 401, 403, 404, 405, 406, 413, 414, 415}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    type_=st.sampled_from(sorted(TYPES)),
    query=queries,
    handling=st.sampled_from(["strict", "lenient"]),
    method=st.sampled_from(["GET", "POST"]),
)
def test_any_search_is_answered_or_refused_by_name(
    clinic: Clinic, web: TestClient, type_: str, query: str, handling: str, method: str
) -> None:
    """No query gives a 5xx, and every answer is a valid Bundle or OperationOutcome."""
    headers = {"Prefer": f"handling={handling}"}
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = web.post(f"/fhir/{type_}/_search", content=query.encode(), headers=headers)
    else:
        answer = web.get(f"/fhir/{type_}?{query}", headers=headers)
    assert answer.status_code in STATUSES, (answer.status_code, query)
    body = valid(answer)
    assert body["resourceType"] == ("Bundle" if answer.status_code == 200 else "OperationOutcome")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "LOCK"]),
    path=st.one_of(raw, st.lists(st.sampled_from(SEGMENTS), max_size=4).map("/".join)),
    header=st.sampled_from(["Accept", "Authorization", "If-None-Match", "Prefer", "Content-Type", "Range"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)  # fmt: skip
def test_any_address_method_and_header_is_answered_or_refused_by_name(
    clinic: Clinic, web: TestClient, method: str, path: str, header: str, value: str
) -> None:
    """Below /fhir nothing but FHIR is answered, and nothing fails."""
    answer = web.request(method, f"/fhir/{path}", headers={header: value})
    if not answer.request.url.path.startswith("/fhir/"):
        return  # the client itself has folded the dots
    assert answer.status_code in STATUSES, (method, path)
    if answer.status_code != 304:
        valid(answer)


CANARY = "zzcanaryzz"


def test_no_refusal_repeats_what_was_asked(clinic: Clinic, web: TestClient) -> None:
    """A canary put into every place of a refused request is in none of the answers."""
    places = [
        *(f"Observation?{name}={CANARY}%00" for name in NAMES),
        *(f"Observation?{name}:{CANARY}=1" for name in NAMES),
        f"Observation?{CANARY}=%00", f"Observation?_cursor={CANARY}", f"Observation?date={CANARY}",
        f"Observation?_count={CANARY}",
        f"Observation?patient={CANARY}%20", f"Observation/{CANARY}", f"{CANARY}", f"{CANARY}/{CANARY}",
        f"Observation?_format={CANARY}",
    ]  # fmt: skip
    for strict in (False, True):
        for place in places:
            answer = web.get(f"/fhir/{place}", headers={"Prefer": "handling=strict"} if strict else {})
            if answer.status_code != 200:
                assert CANARY.encode() not in answer.content, place
            else:
                assert not strict, place
    answer = web.get("/fhir/Patient", headers={"Authorization": f"Bearer {CANARY}{CANARY}"})
    assert (answer.status_code, CANARY in answer.text, CANARY in str(answer.headers)) == (401, False, False)
