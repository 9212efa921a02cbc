"""Who waits for whom."""

import asyncio
import random
import time
from dataclasses import dataclass, field

import pytest

from gongji_svc.domain.errors import DeadlinePassed
from gongji_svc.services.turns import Turns, within


@dataclass(slots=True)
class Queue:
    """Turns, callers who take theirs as they come, and a clock that stands still."""

    most: int = 100
    least: int = 8
    alone: int = 100
    crowd: int = 0
    now: float = 0.0
    turns: Turns = field(init=False)
    begun: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turns = Turns(self.most, self.least, self.alone, lambda: self.now, crowd=self.crowd)

    async def come(self, caller: str, times: int = 1) -> list[asyncio.Task[None]]:
        """Have a caller come so often, and let who may begin."""
        tasks = [asyncio.create_task(self._begin(caller)) for _ in range(times)]
        self.tasks += tasks
        await settle()
        return tasks

    async def go(self, caller: str, times: int = 1) -> None:
        """Have so many of a caller's turns end."""
        for _ in range(times):
            self.begun.remove(caller)
            self.turns.end(caller)
        await settle()

    async def _begin(self, caller: str) -> None:
        await self.turns.begin(caller)
        self.begun.append(caller)


async def settle() -> None:
    """Let what can happen happen."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_is_alone_has_everything() -> None:
    async def run() -> None:
        at = Queue()
        await at.come("flood", 150)
        assert at.begun.count("flood") == 100
        await at.go("flood", 60)
        assert at.begun.count("flood") == 90

    asyncio.run(run())


def test_beside_others_a_flood_has_the_least() -> None:
    async def run() -> None:
        at = Queue()
        await at.come("quiet")
        await at.go("quiet")
        await at.come("flood", 50)
        assert at.begun.count("flood") == 8
        await at.come("quiet")
        assert at.begun.count("quiet") == 1
        await at.go("flood")
        assert at.begun.count("flood") == 8

    asyncio.run(run())


def test_a_busy_caller_beside_others_is_no_flood() -> None:
    async def run() -> None:
        at = Queue(crowd=40)
        await at.come("quiet")
        await at.come("busy", 40)
        assert at.begun.count("busy") == 40
        await at.come("busy", 20)
        assert at.begun.count("busy") == 40
        await at.go("busy", 36)
        assert at.begun.count("busy") == 24  # it is no crowd any more

    asyncio.run(run())


def test_a_flood_has_as_much_as_all_others_together() -> None:
    async def run() -> None:
        at = Queue()
        for number in range(20):
            await at.come(f"till-{number}")
        await at.come("flood", 50)
        assert at.begun.count("flood") == 20

    asyncio.run(run())


def test_when_the_others_are_long_gone_a_flood_has_everything() -> None:
    async def run() -> None:
        at = Queue()
        await at.come("quiet")
        await at.go("quiet")
        await at.come("flood", 50)
        at.now += 11.0
        await at.come("flood")
        await at.go("flood")
        assert at.begun.count("flood") == 50

    asyncio.run(run())


def test_a_call_that_weighs_much_counts_as_so_many() -> None:
    async def run() -> None:
        at = Queue(crowd=40)
        await at.come("quiet")
        at.begun.clear()
        heavy = [asyncio.create_task(at.turns.begin("flood", 60)) for _ in range(3)]
        await settle()
        assert [task.done() for task in heavy] == [True, False, False]
        await at.come("quiet", 10)
        assert at.begun == ["quiet"] * 10
        at.turns.end("flood", 60)
        await settle()
        assert [task.done() for task in heavy] == [True, True, False]
        heavy[2].cancel()
        await settle()
        at.turns.end("flood", 60)
        assert at.turns.waiting == 0
        await at.come("other", 39)
        assert at.begun.count("other") == 39

    asyncio.run(run())


def test_of_several_that_wait_each_has_its_turn() -> None:
    async def run() -> None:
        at = Queue(most=4, least=4)
        await at.come("first", 10)
        await at.come("second", 10)
        await at.come("third", 1)
        assert at.begun == ["first"] * 4
        await at.go("first", 4)
        assert at.begun == ["first", "second", "third", "first"]

    asyncio.run(run())


def test_what_is_not_to_be_had_alone_is_not() -> None:
    async def run() -> None:
        at = Queue(most=8, least=2, alone=2)
        await at.come("slow", 8)
        assert at.begun == ["slow"] * 2
        await at.come("other", 2)
        assert at.begun.count("other") == 2

    asyncio.run(run())


def test_who_gives_up_waiting_holds_no_place() -> None:
    async def run() -> None:
        at = Queue(most=1, least=1, alone=1)
        await at.come("first")
        (gone, also_gone) = await at.come("second", 2)
        await at.come("third")
        gone.cancel()
        await settle()
        assert at.turns.waiting == 2
        also_gone.cancel()  # in the moment in which the turn comes
        await at.go("first")
        assert at.begun == ["third"]
        assert at.turns.waiting == 0

    asyncio.run(run())


def test_who_waits_until_the_deadline_is_told_so_and_holds_no_place() -> None:
    async def run() -> None:
        at = Queue(most=1, least=1, alone=1)
        await at.come("first")
        with pytest.raises(DeadlinePassed):
            async with within(time.time() + 0.05):
                await at.turns.begin("second")
        assert at.turns.waiting == 0
        await at.go("first")
        await at.come("third")
        assert at.begun == ["third"]

    asyncio.run(run())


def test_who_gives_up_a_turn_that_just_came_passes_it_on() -> None:
    async def run() -> None:
        at = Queue(most=1, least=1, alone=1)
        await at.come("first")
        (gone,) = await at.come("second")
        await at.come("third")
        at.begun.remove("first")
        at.turns.end("first")
        gone.cancel()
        await settle()
        assert at.begun == ["third"]

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(20))
def test_everybody_has_a_turn_in_the_end(seed: int) -> None:
    async def run() -> None:
        chance = random.Random(seed)  # noqa: S311 - the same in every run
        at = Queue(most=chance.randint(1, 12), least=chance.randint(1, 4))
        for _ in range(300):
            at.now += chance.random()
            step = chance.random()
            if step < 0.5:
                await at.come(chance.choice("abc"), chance.randint(1, 5))
            elif step < 0.6 and at.tasks:
                chance.choice(at.tasks).cancel()
            elif at.begun:
                await at.go(chance.choice(at.begun))
            assert len(at.begun) <= at.most
        while at.begun:
            await at.go(at.begun[0])
        await settle()
        assert at.turns.waiting == 0
        assert all(task.done() for task in at.tasks)

    asyncio.run(run())
