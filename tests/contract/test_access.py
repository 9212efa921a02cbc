"""Who may call what is declared on every RPC, and the declaration can be checked."""

import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from gongji.v1 import access_pb2
from gongji_svc.domain.access import Role
from tests.contract.descriptors import enums, field_at, grants, methods, value_names

NAME = {FieldDescriptor.TYPE_STRING}
MAY_NAME = {
    access_pb2.SUBJECT_INSTITUTION: NAME,
    access_pb2.SUBJECT_PERSON: NAME,
    access_pb2.SUBJECT_REGION: NAME,
    access_pb2.SUBJECT_OBJECT: NAME | {FieldDescriptor.TYPE_MESSAGE},  # a certificate, a new person
}

every_rpc = pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)


@every_rpc
def test_every_rpc_says_who_may_call_it(method: MethodDescriptor) -> None:
    assert grants(method)


@every_rpc
def test_every_grant_states_role_and_subject(method: MethodDescriptor) -> None:
    assert all(grant.role and grant.subject for grant in grants(method))


@every_rpc
def test_every_grant_names_a_field_that_can_name_its_subject(method: MethodDescriptor) -> None:
    for grant in grants(method):
        field = field_at(method.input_type, grant.field)
        if grant.subject == access_pb2.SUBJECT_ANY:
            assert not grant.field
        else:
            assert field is not None, grant.field
            assert field.type in MAY_NAME[grant.subject], grant.field


@every_rpc
def test_no_grant_is_stated_twice(method: MethodDescriptor) -> None:
    stated = [(grant.role, grant.subject, grant.field) for grant in grants(method)]
    assert len(stated) == len(set(stated))


def test_the_roles_of_the_contract_are_those_of_the_domain() -> None:
    assert value_names(enums()["Role"]) == {role.name for role in Role}
