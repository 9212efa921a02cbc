"""One-time codes (医保电子凭证二维码): issued to citizens, kept to the till that saw them first.

Rule: nothing is written when a code is issued. A preview binds it to its institution and leaves it
good; Settle uses it up (`settling.py`); to identify somebody does neither.
"""

import secrets
from dataclasses import dataclass

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller
from gongji_svc.domain.one_time_code import NONCE_BYTES, OneTimeCode, written
from gongji_svc.services.asked import AskedCommand
from gongji_svc.services.office import Office
from gongji_svc.services.reach import reaches
from gongji_svc.services.settling import Preview
from gongji_svc.services.till import Code
from gongji_svc.storage.credentials import use_row
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted


def issue_credential(
    office: Office, caller: Caller, request: pb.IssueCredentialRequest
) -> pb.IssueCredentialResponse:
    """A fresh code for the caller or a ward; AccessDenied for anybody else."""
    person_id = parse_id(request.person_id)
    with office.database.reader() as tx:
        people = read_people(tx, [] if person_id is None else [person_id], office.sealer)
    person = None if person_id is None else people.get(person_id)
    if person is None or not reaches(caller, person, office.today()):
        raise errors.AccessDenied
    if person.died_on is not None:
        raise errors.PersonDeceased
    nonce = secrets.token_bytes(NONCE_BYTES)
    code = OneTimeCode.issue(person.person_id, office.now(), nonce)
    content = code.pack()
    answer = pb.IssueCredentialResponse(
        credential=pb.Credential(
            type=pb.CREDENTIAL_TYPE_E_CREDENTIAL,
            value=written(content, office.sealer.sign(content)),
        )
    )
    answer.expires_at.FromDatetime(code.expires_at)
    return answer


@dataclass(slots=True)
class BindCode(AskedCommand):
    """A one-time code becomes the institution's that previewed with it; of two, the first one's."""

    code: Code

    def lookups(self) -> Lookups:
        """Nothing: the preview found the institution."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The person whose code it is."""
        return Keys(persons=(self.code.code.person_id,))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """What is known of the code."""
        return Wanted(codes=(self.code.key,))

    def decide(self, state: State) -> Decision:
        """The code's use, as long as the institution has it to itself."""
        use = self.code.use_at(state, self.asked.message.institution_code)
        return Decision(b"", replaced=(use_row(self.code.key, use),))


def bind_code(office: Office, preview: Preview) -> None:
    """Keep the code that was previewed with, if one was, to its institution; a CREDENTIAL refusal
    where it is good there no more.
    """
    if preview.shown.code is not None:
        office.run(BindCode(office, preview.asked, preview.shown.code))
