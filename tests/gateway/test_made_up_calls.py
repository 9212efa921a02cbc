"""Calls made up from the OpenAPI document, sound and not: no answer is a fault, none is one that
the document doesn't tell, and nothing wrong is accepted.

Rule: the calls are the same in every run. Half of them name people and things that there are.
"""

import json
import zlib
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks as told

from gateway.openapi import document
from gateway.rpcs import ROUTES
from tests.end_to_end.purchases import HOHHOT
from tests.families import Families
from tests.gateway.browser import by

_SCHEMA = schemathesis.openapi.from_dict(json.loads(json.dumps(document())))
_SCHEMA.config.generation.update(modes=list(GenerationMode), deterministic=True)
_SUBJECTS = {"pos": "P-1", "citizen": ""}  # of all others the region
_ROLES = {route.template + route.verb: route.roles for route in ROUTES}
_ENDLESS = ":watch"  # who may watch waits for entries
_UPLOAD = "POST /v1/documents"
_CHECKS = [
    told.status_code_conformance,
    told.content_type_conformance,
    told.response_headers_conformance,
    told.response_schema_conformance,
    told.negative_data_rejection,
    told.unsupported_method,
    told.ignored_auth,
]


@pytest.fixture(scope="session")
def known(families: Families) -> dict[str, str]:
    """Names of people and things that there are, by the fields that name them."""
    donor = families.person(HOHHOT, balance_fen=1_000_000)
    relative = families.person(HOHHOT)
    binding = families.bind(donor, relative)
    return {
        "person_id": str(donor),
        "donor_id": str(donor),
        "beneficiary_id": str(relative),
        "account_id": str(donor.account_id),
        "binding_id": str(binding),
        "region": HOHHOT,
    }


def with_known(said: Any, known: dict[str, str]) -> Any:
    """The values with those fields that are known replaced."""
    if not isinstance(said, dict):
        return said
    return {name: known.get(name, value) for name, value in said.items()}


def checks_of(case: Case[Any]) -> list[Any]:
    """All, but for an upload: no schema calls bytes wrong, and schemathesis counts the sound files
    and enum values that it tries with them among what is.
    """
    is_upload = case.operation.label == _UPLOAD
    return [one for one in _CHECKS if not (is_upload and one is told.negative_data_rejection)]


def check(case: Case[Any], client: httpx.Client, known: dict[str, str]) -> None:
    """Send it as somebody who may, and now and then as somebody who may not."""
    seed = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
    roles = [*_ROLES[case.path + case.operation.method.upper()], "audit"]
    role = roles[seed % len(roles)]
    subject = _SUBJECTS.get(role, HOHHOT) or known["donor_id"]
    is_sound = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if is_sound and seed % 2 and not case.path.endswith(_ENDLESS):
        case.path_parameters = with_known(case.path_parameters, known)
        case.query = with_known(case.query, known)
        case.body = with_known(case.body, known)
    token = by(role, subject)["authorization"]
    response = case.call_and_validate(
        base_url=str(client.base_url), headers={"Authorization": token}, checks=checks_of(case)
    )
    try:
        reason = response.json().get("reason", "")
    except ValueError:
        reason = ""
    assert response.status_code < 500 or reason == "NOT_BUILT", response.text
    assert not (is_sound and reason == "MALFORMED_REQUEST"), response.text


@_SCHEMA.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_what_is_made_up_from_the_document_is_answered_as_it_tells(
    case: Case[Any], client: httpx.Client, known: dict[str, str]
) -> None:
    check(case, client, known)
