"""Loads a CSV file: every row is read as the request it stands for, and decided by its command.

Rule: a file is decided as if each row were called for, so what is loaded is what PutPerson,
OpenAccount and the others write; only reading and writing are done for many rows at once. Every bad
row is told by line and field, and then nothing is written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import BinaryIO, Protocol

from gongji_svc.domain.errors import Refusal
from gongji_svc.services.office import Office
from gongji_svc.services.rows import Columns, Fault, Record, Unsound, read_rows
from gongji_svc.storage.copying import Staging
from gongji_svc.storage.people import PersonRow
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted

_CHUNK = 1000
_SEVERAL_ZH = "与第{line}行重复，每项只能出现一次"
_CARD_ZH = "与第{line}行的证件号码或社会保障卡号相同"


class Item(Protocol):
    """What one row, or several rows that belong together, ask for."""

    @property
    def line(self) -> int:
        """Its first line."""

    @property
    def name(self) -> bytes:
        """What it is about; a file may be about the same thing only once."""

    def lookups(self) -> Lookups:
        """As a command's."""

    def guardian_hashes(self) -> Sequence[bytes]:
        """Who must be registered, be it by the same file."""

    def keys(self, state: State) -> Keys:
        """As a command's."""

    def discover(self, state: State) -> Wanted:
        """As a command's."""

    def decide(self, state: State) -> Iterator[Decision]:
        """Decisions that follow each other; each takes effect before the next."""

    def faults(self, refusal: Refusal) -> Iterator[Fault]:
        """Where in the file the cause of a refusal stands."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its columns; the one that says what a row is about; the columns by which
    adjoining rows belong together; what they ask for.
    """

    columns: Columns
    about: str
    together: tuple[str, ...]
    item: Callable[[Office, str, Sequence[Record]], Item]


@dataclass(slots=True)
class Loaded:
    """What came of a file."""

    rows: int = 0
    items: int = 0
    faults: int = 0


def load(
    office: Office,
    kind: Kind,
    file: BinaryIO,
    region: str,
    tell: Callable[[Fault], None],
    progress: Callable[[int], None],
) -> Loaded:
    """Load a file whole, or, when any row is bad, nothing of it.

    `region` counts where a row leaves its region empty. `tell` gets each fault, `progress` how many
    bytes were read. ConcurrentChange when others wrote the same meanwhile: it can be run again.
    """
    loaded = Loaded()

    def fault(found: Fault) -> None:
        loaded.faults += 1
        tell(found)

    staging = Staging(office.database)
    try:
        groups = _groups(kind, read_rows(file, kind.columns, fault, progress))
        while chunk := list(islice(groups, _CHUNK)):
            loaded.rows += sum(len(records) for records in chunk)
            items = list(_items(office, kind, region, chunk, fault))
            loaded.items += len(items)
            _take(office, staging, items, fault)
        _tell_repeated(staging, kind.about, fault)
        if not loaded.faults:
            staging.merge()
    finally:
        staging.close()
    return loaded


def _groups(kind: Kind, records: Iterator[Record]) -> Iterator[list[Record]]:
    def name(record: Record) -> object:
        if not kind.together:
            return record.line
        return [record.values.get(column, "") for column in kind.together]

    return (list(group) for _, group in groupby(records, key=name))


def _items(
    office: Office,
    kind: Kind,
    region: str,
    chunk: Sequence[Sequence[Record]],
    fault: Callable[[Fault], None],
) -> Iterator[Item]:
    for records in chunk:
        try:
            yield kind.item(office, region, records)
        except Unsound as unsound:
            for found in unsound.faults:
                fault(found)


def _take(
    office: Office, staging: Staging, items: Sequence[Item], fault: Callable[[Fault], None]
) -> None:
    """Gather for a chunk, decide it in the file's order, stage what was decided."""
    state = State()
    staging.look_up(state, [item.lookups() for item in items])
    staging.look_up_staged(state, [h for item in items for h in item.guardian_hashes()])
    staging.read_people(state, [item.keys(state) for item in items])
    staging.read_accounts(state, [item.discover(state) for item in items])
    state.now += office.clock_offset
    known = {person_id: PersonRow(*row) for person_id, row in state.persons.items()}
    for item in items:
        staging.name(item.name, item.line)
        try:
            for decision in item.decide(state):
                state.apply(decision)
                staging.stage(decision, item.line)
        except Refusal as refusal:
            for found in item.faults(refusal):
                fault(found)
        for person_id in known.keys() & item.keys(state).persons:
            staging.seen(known[person_id].region, person_id, known[person_id].updated_at)
    staging.stage_money(state)
    staging.flush()


def _tell_repeated(staging: Staging, about: str, fault: Callable[[Fault], None]) -> None:
    """What stands in the file more than once: a certificate, or a card with another certificate."""
    told: set[int] = set()
    repeated = [(about, _SEVERAL_ZH, lines) for lines in staging.named_twice()]
    repeated += [("card_no", _CARD_ZH, lines) for lines in staging.found_twice()]
    for field, message_zh, (first, *others) in repeated:
        for line in others:
            if line not in told:
                fault(Fault(line, field, message_zh.format(line=first)))
                told.add(line)
