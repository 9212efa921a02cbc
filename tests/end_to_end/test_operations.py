"""What operators and strange clients see: health, reflection, channelz, and all of the contract."""

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc import StatusCode
from grpc_channelz.v1.channelz_pb2 import GetServersRequest, GetServersResponse
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from gongji.v1 import access_pb2
from gongji.v1 import settlement_pb2 as pb
from gongji_svc.services.contract import METHODS, SERVICES, Method
from tests.end_to_end.refusals import refusal_of
from tests.end_to_end.service import Service, health, metadata_of


@pytest.mark.parametrize("name", ["", *SERVICES])
def test_each_service_says_that_it_is_healthy(service: Service, name: str) -> None:
    assert health(service.channel, name) == HealthCheckResponse.SERVING


def test_the_health_of_a_service_that_is_not_there_is_unknown(service: Service) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health(service.channel, "gongji.v1.NoService")
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is StatusCode.NOT_FOUND


def test_reflection_tells_the_whole_contract(service: Service) -> None:
    seen = ProtoReflectionDescriptorDatabase(service.channel)
    assert {*SERVICES, "grpc.health.v1.Health"} <= set(seen.get_services())
    pool = DescriptorPool(seen)
    for method in METHODS:
        service_name = method.path.split("/")[1]
        found = pool.FindServiceByName(service_name).methods_by_name[method.name]
        assert found.input_type.full_name == method.request.DESCRIPTOR.full_name
    told = pool.FindMessageTypeByName("gongji.v1.SettleRequest").fields_by_name.keys()
    assert list(told) == list(pb.SettleRequest.DESCRIPTOR.fields_by_name)


def test_channelz_counts_the_calls(service: Service) -> None:
    call: grpc.UnaryUnaryMultiCallable[GetServersRequest, GetServersResponse]
    call = service.channel.unary_unary(
        "/grpc.channelz.v1.Channelz/GetServers",
        GetServersRequest.SerializeToString,
        GetServersResponse.FromString,
    )
    (server,) = call(GetServersRequest(), timeout=10).server
    assert server.data.calls_started > 0


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_whole_contract_is_served(service: Service, method: Method) -> None:
    try:
        called(service.channel, method)
    except grpc.RpcError as error:
        assert refusal_of(error).code is not StatusCode.UNIMPLEMENTED


def called(channel: grpc.Channel, method: Method) -> object:
    """What an RPC answers to an empty request of a role that may call it."""
    metadata = metadata_of(_role_of(method), "150100")
    if method.client_streaming:
        upload: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(method.path)
        return upload(iter([b""]), metadata=metadata, timeout=10)
    if method.server_streaming:
        watch: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method.path)
        return list(watch(b"", metadata=metadata, timeout=10))
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method.path)
    return call(b"", metadata=metadata, timeout=10)


def _role_of(method: Method) -> str:
    return access_pb2.Role.Name(method.access.grants[0].role).removeprefix("ROLE_").lower()


def test_an_rpc_outside_the_contract_is_unknown(service: Service) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    call = service.channel.unary_unary("/gongji.v1.SettlementService/GiveMeMoney")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", metadata=metadata_of("pos", "P1"), timeout=10)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is StatusCode.UNIMPLEMENTED
