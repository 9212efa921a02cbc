"""The Containerfile, read as text: no engine that builds images is needed to know what it says."""

import re
from dataclasses import dataclass

from tests.k8s.overlays import ALL, ROOT

_TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
_LINES = [line for line in _TEXT.splitlines() if line and not line.startswith("#")]


@dataclass(frozen=True)
class Stage:
    """A stage: what it begins with, and its instructions."""

    base: str
    instructions: tuple[tuple[str, str], ...]

    def of(self, word: str) -> list[str]:
        """What follows each instruction of a kind."""
        return [rest for name, rest in self.instructions if name == word]


def stages() -> list[Stage]:
    """The stages in their order."""
    split = [line.partition(" ")[::2] for line in _LINES]
    begins = [number for number, (name, _) in enumerate(split) if name == "FROM"]
    return [
        Stage(split[begin][1], tuple(split[begin + 1 : end]))
        for begin, end in zip(begins, [*begins[1:], len(split)], strict=True)
    ]


def test_both_stages_have_one_base_of_a_named_version() -> None:
    build, image = stages()
    assert (build.base, image.base) == ("${PYTHON} AS build", "${PYTHON}")
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", _TEXT, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/python:3\.11-slim-[a-z]+", base)


def test_all_that_is_installed_has_its_hash_in_the_lock_and_comes_from_nowhere_else() -> None:
    build, image = stages()
    (download, install) = build.of("RUN")
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(download.split())
    steps = [step for step in install.split("&&") if "pip" in step.split() or "wheel" in step]
    assert all("--no-index" in step for step in steps)
    assert "pip" not in " ".join(image.of("RUN"))


def test_the_image_has_what_was_built_and_nothing_of_the_build() -> None:
    _, image = stages()
    assert image.of("COPY") == ["--from=build /opt/gongji /opt/gongji"]
    assert not image.of("ADD")


def test_it_runs_as_nobody_who_may_write_outside_its_folder() -> None:
    _, image = stages()
    assert image.of("USER") == ["10001:10001"]
    last = [name for name, _ in image.instructions if name != "EXPOSE"][-3:]
    assert last == ["USER", "ENTRYPOINT", "CMD"]
    assert "--mode 0700 /var/lib/gongji" in re.sub(r" +", " ", image.of("RUN")[0])


def test_it_names_the_ports_that_pods_have() -> None:
    _, image = stages()
    (ports,) = image.of("EXPOSE")
    assert {*map(int, ports.split())} == {port for one in ALL for port in one.ports.values()}
