"""The place of a new binding in the beneficiary's order, and who counts as a member."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.binding import Binding, BindingState, members_ever, members_now, placed
from gongji_svc.domain.person import same_name
from tests.domain.builders import DAY, PROPERTY, binding


@PROPERTY
@given(st.lists(st.integers(1, 40), max_size=8, unique=True), st.none() | st.integers(1, 12))
def test_after_placing_the_ranks_are_gapless_and_the_others_keep_their_order(
    ranks: list[int], wanted_rank: int | None
) -> None:
    current = [binding(number, rank=rank) for number, rank in enumerate(ranks, 1)]
    rank, moved = placed(current, wanted_rank)
    after = {b.binding_id: b for b in (*current, *moved)}.values()
    assert sorted([rank, *(b.rank for b in after)]) == list(range(1, len(ranks) + 2))
    assert order(after) == order(current)
    assert rank == min(wanted_rank or len(ranks) + 1, len(ranks) + 1)


def order(bindings: object) -> list[object]:
    """The ids in the order of their ranks."""
    assert hasattr(bindings, "__iter__")
    return [b.binding_id for b in sorted(bindings, key=lambda b: b.rank)]


def test_only_those_whose_rank_changes_are_moved() -> None:
    current = [binding(number, rank=number) for number in (1, 2, 3)]
    assert placed(current, None)[1] == ()
    assert [b.rank for b in placed(current, 3)[1]] == [4]


def test_members_are_people_of_living_bindings_that_have_not_expired() -> None:
    yesterday = DAY - timedelta(days=1)
    alive = [
        binding(9, 1),
        binding(9, 2, state=BindingState.PENDING_REVIEW),
        binding(9, 3, state=BindingState.SUSPENDED),
    ]
    gone = [binding(9, 4, state=BindingState.ENDED), binding(9, 5, effective_to=yesterday)]
    assert members_now([*alive, *gone], DAY) == people(alive)


def test_an_application_that_was_never_approved_is_no_member_ever() -> None:
    approved = [binding(9, 1), binding(9, 2, state=BindingState.ENDED)]
    rejected = binding(9, 3, state=BindingState.REJECTED, approved=False)
    assert members_ever([*approved, rejected]) == people(approved)


def people(bindings: list[Binding]) -> frozenset[object]:
    return frozenset(b.beneficiary_id for b in bindings)


def test_blanks_and_full_width_letters_do_not_make_another_name() -> None:
    assert same_name("王 小明", "王小明　")
    assert same_name("ＡＢ", "AB")
    assert not same_name("王小明", "王小朋")
