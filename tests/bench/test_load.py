"""What the load client calls: every call is a request of its own."""

from collections import Counter

from bench.load import REQUEST_ID, Calls, Prepared
from bench.population import Patient, by_zipf


def test_each_call_and_each_bill_in_it_has_a_request_id_of_its_own() -> None:
    body = b"-".join(REQUEST_ID + b".%d" % place for place in range(3))
    calls = Calls(Prepared([b"block"], [(0, body)]), "near")
    bodies = [calls.next()[1] for _ in range(200)]
    assert {len(one) for one in bodies} == {len(body)}
    assert len(set(bodies)) == 200


def test_by_zipf_one_pharmacy_has_most_and_nobody_buys_in_another_region() -> None:
    patients = [
        Patient(f"王{number}", f"K{number}", f"P15{number % 3:04d}{number % 30:09d}", ())
        for number in range(3_000)
    ]
    at_home = {patient.card_no: patient.region for patient in patients}
    found = by_zipf(patients)
    assert all(at_home[one.card_no] == one.region for one in found)
    assert len({one.card_no for one in found}) == len(found)
    (_, most), (_, second) = Counter(one.institution_code for one in found).most_common(2)
    assert 3 < most / second < 5
