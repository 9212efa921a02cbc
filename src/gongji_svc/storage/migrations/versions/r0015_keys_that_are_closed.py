"""keys that are closed, and names that early answers kept

Rule: once a data key is closed nothing new is sealed with it, by whatever process: the database
refuses. A row that is written again as it was passes. (docs/decisions/keys.md)
"""

from collections.abc import Callable, Mapping
from typing import Union

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: what the running release does not know must not disturb it."""
    for name, comment in (
        ("closed_at", "from then on nothing is sealed with it"),
        ("retired_at", "no value was sealed with it any more"),
    ):
        column = sa.Column(name, sa.DateTime(timezone=True), nullable=True, comment=comment)
        op.add_column("key_checks", column)
    _refuse_closed_keys()
    _mask_answers()


# --- closed keys

_OF_SETTLEMENT = "(NEW.detail ? 'agent')"
_ANOTHER_AGENT = "(NEW.detail -> 'agent' IS DISTINCT FROM OLD.detail -> 'agent')"
_ANOTHER_KEY = "(NEW.key_id IS DISTINCT FROM OLD.key_id)"
_SEALED = (
    ("persons", "(true)", _ANOTHER_KEY),
    ("bindings", "(true)", _ANOTHER_KEY),
    ("document_chunks", "(true)", _ANOTHER_KEY),
    ("settlements", _OF_SETTLEMENT, _ANOTHER_AGENT),
)


def _refuse_closed_keys() -> None:
    """Citus has no such triggers; there it rests on every process being restarted first."""
    op.execute(
        """
        CREATE FUNCTION refuse_closed_key() RETURNS trigger LANGUAGE plpgsql AS
        $$
        DECLARE used smallint;
        BEGIN
            IF TG_TABLE_NAME = 'settlements' THEN
                used := split_part(NEW.detail ->> 'agent', ':', 1)::smallint;
            ELSE
                used := NEW.key_id;
            END IF;
            IF EXISTS (
                SELECT FROM key_checks
                WHERE region = '000000' AND key_id = used AND closed_at IS NOT NULL
            ) THEN
                RAISE EXCEPTION 'data key % is closed: restart this process with the key file '
                    'that names another as current', used;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    if op.get_bind().scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")):
        return
    for table, when_new, when_changed in _SEALED:
        for event, when in (("insert", when_new), ("update", when_changed)):
            op.execute(
                f"CREATE TRIGGER closed_key_{event} AFTER {event.upper()} ON {table} "
                f"FOR EACH ROW WHEN {when} EXECUTE FUNCTION refuse_closed_key()"
            )


# --- names that answers to PutPerson and BatchPutPersons kept before they were masked

Rules = Mapping[int, Union[Callable[[bytes], bytes], "Rules"]]


def _name(text: bytes) -> bytes:
    name = text.decode()
    return (name[:1] + "*" * (len(name) - 1)).encode()


def _number(text: bytes) -> bytes:
    number = text.decode()
    hidden = max(0, len(number) - 4)
    return ("*" * hidden + number[hidden:]).encode()


# By field numbers of the contract: name; certificate.number; card_no.
_PERSON: Rules = {2: _name, 3: {2: _number}, 4: _number}
_ANSWERS: Mapping[str, Rules] = {
    "/gongji.v1.RegistryService/PutPerson": {1: _PERSON},
    "/gongji.v1.RegistryService/BatchPutPersons": {1: {2: _PERSON}},
}
_VARINT, _EIGHT_BYTES, _SIZED = 0, 1, 2  # wire types of protobuf; the fourth in use is four bytes


def _mask_answers() -> None:
    tx = op.get_bind()
    found = sa.text(
        "SELECT region, caller, request_id, method, answer FROM requests "
        "WHERE method = ANY(:methods) AND answer IS NOT NULL"
    ).execution_options(yield_per=1000)
    keep = sa.text(
        "UPDATE requests SET answer = :answer "
        "WHERE region = :region AND caller = :caller AND request_id = :request_id"
    )
    for rows in tx.execute(found, {"methods": list(_ANSWERS)}).partitions():
        masked = [
            {**row._mapping, "answer": answer}
            for row in rows
            if (answer := masked_answer(row.method, row.answer)) != row.answer
        ]
        if masked:
            tx.execute(keep, masked)


def masked_answer(method: str, answer: bytes) -> bytes:
    """An answer as later releases keep it; one that they kept is as it was."""
    return _masked(bytes(answer), _ANSWERS[method])


def _masked(message: bytes, rules: Rules) -> bytes:
    """A protobuf message with some of its fields masked, the others as they were."""
    made = bytearray()
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        rule = rules.get(tag >> 3)
        if tag & 7 != _SIZED:
            at = _after(message, at, tag & 7)
            made += message[begin:at]
            continue
        tagged = at
        size, at = _varint(message, at)
        value, at = message[at : at + size], at + size
        if rule is not None:
            value = rule(value) if callable(rule) else _masked(value, rule)
        made += message[begin:tagged] + _as_varint(len(value)) + value
    return bytes(made)


def _after(message: bytes, at: int, wire_type: int) -> int:
    if wire_type == _VARINT:
        return _varint(message, at)[1]
    return at + (8 if wire_type == _EIGHT_BYTES else 4)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        byte = message[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def _as_varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)
