"""The house style as a test: what CONTRIBUTING.md asks for and a linter does not see.

Rule: each finding is PATH:LINE and what is wrong. Generated code (src/gongji) is not ours to read.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_FUNCTION_LINES = 60
_FILE_LINES = 400
_NESTING = 3
_SENTENCE_WORDS = 4

_BANNED_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}
_LEFT_OVERS = re.compile(
    r"\b(TODO|FIXME|XXX|HACK)\b|\bfor now\b|placeholder|NotImplementedError", re.IGNORECASE
)
_ONE_MACHINE = re.compile(r"(?<![\w.~])/(work|root|home)/")
_SILENCED = re.compile(r"#\s*(type:\s*ignore|noqa)")
_SILENCED_WITH_REASON = re.compile(
    r"# (type: ignore\[[a-z, -]+\]|noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*)\s+\S"
)
_SIX_DIGITS = re.compile(r"[1-9][0-9]{5}")

# The domain sees no file, network, clock, process or thread.
_NOT_PURE = {
    "asyncio", "concurrent", "ctypes", "http", "io", "logging", "multiprocessing", "os", "pathlib",
    "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess",
    "sys", "tempfile", "threading", "time", "urllib",
}  # fmt: skip

Finding = tuple[int, str]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def python_files(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (_ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    )


def ours() -> list[Path]:
    """Every Python file people write, but this one: it names what it bans."""
    files = python_files("src/gongji_svc", "gateway", "bench", "tests", "proto", "docs")
    return [path for path in files if path != Path(__file__) and path.parent.name != "versions"]


def product() -> list[Path]:
    return [path for path in ours() if path.is_relative_to(_ROOT / "src")] + python_files("gateway")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def expect_nothing(paths: list[Path], find: Callable[[Path], Iterator[Finding]]) -> None:
    found = [
        f"{path.relative_to(_ROOT)}:{line}: {what}" for path in paths for line, what in find(path)
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_no_function_is_longer_than_a_screen() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for function in functions(parsed(path)):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > _FUNCTION_LINES:
                yield function.lineno, f"{function.name} has {lines} lines"

    expect_nothing(ours(), find)


def test_no_file_is_longer_than_one_subject() -> None:
    def find(path: Path) -> Iterator[Finding]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > _FILE_LINES:
            yield lines, f"the file has {lines} lines"

    expect_nothing(ours(), find)


def nesting(node: ast.AST, depth: int = 0) -> int:
    """How deep blocks stand in one another below `node`; an `elif` is no deeper than its `if`."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        block = isinstance(
            child, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.With | ast.AsyncWith
        )
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        inner = 0 if is_function else depth + (1 if block and not is_elif else 0)
        deepest = max(deepest, nesting(child, inner))
    return deepest


def test_blocks_are_nested_at_most_three_deep() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for function in functions(parsed(path)):
            if nesting(function) > _NESTING:
                yield function.lineno, f"{function.name} is nested {nesting(function)} deep"

    expect_nothing(ours(), find)


def test_an_elif_counts_as_no_deeper_than_its_if() -> None:
    chain = "if a: pass\nelif b: pass\nelif c: pass\nelif d: pass"
    assert nesting(ast.parse(chain)) == 1
    assert nesting(ast.parse("for a in b:\n  if a:\n    with a: pass")) == 3


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in ours() if path.stem in _BANNED_NAMES] == []


def test_every_module_says_what_it_is_for() -> None:
    def find(path: Path) -> Iterator[Finding]:
        tree = parsed(path)
        if tree.body and not ast.get_docstring(tree):
            yield 1, "the module has no docstring"

    expect_nothing(ours(), find)


def test_every_public_function_and_class_says_what_it_does() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for node in parsed(path).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and not ast.get_docstring(node):
                yield node.lineno, f"{node.name} has no docstring"

    expect_nothing(product(), find)


def test_nothing_unfinished_is_left_in_the_code() -> None:
    expect_nothing(ours(), lambda path: lines_with(path, _LEFT_OVERS))


def test_nothing_names_a_path_of_one_machine() -> None:
    texts = [_ROOT / "Makefile", _ROOT / "pyproject.toml", *_ROOT.glob("*.md")]
    for folder in ("docs", "proto", "k8s", "src", "tests", "bench", "gateway"):
        texts += [
            path
            for kind in ("*.md", "*.py", "*.toml", "*.yaml", "*.proto", "*.txt", "*.js")
            for path in (_ROOT / folder).rglob(kind)
            if "node_modules" not in path.parts
        ]
    texts.remove(Path(__file__))
    expect_nothing(sorted(texts), lambda path: lines_with(path, _ONE_MACHINE))


def lines_with(path: Path, pattern: re.Pattern[str]) -> Iterator[Finding]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = pattern.search(line)
        if found:
            yield number, found.group()


def test_a_checker_is_silenced_only_by_code_and_with_a_reason() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if _SILENCED.search(line) and not _SILENCED_WITH_REASON.search(line):
                yield number, line.strip()

    expect_nothing(ours(), find)


def test_the_domain_is_pure() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for node in ast.walk(parsed(path)):
            for module in imported(node):
                top = module.partition(".")[0]
                inside = module.startswith("gongji_svc.domain")
                if not inside and (top in _NOT_PURE or top not in sys.stdlib_module_names):
                    yield getattr(node, "lineno", 0), f"imports {module}"

    expect_nothing(python_files("src/gongji_svc/domain"), find)


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []


def test_the_domain_reads_no_clock() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"}:
                yield node.lineno, f".{node.attr}: the time is an argument"

    expect_nothing(python_files("src/gongji_svc/domain"), find)


def test_the_domain_knows_no_float() -> None:
    def find(path: Path) -> Iterator[Finding]:
        seconds = {
            id(node.annotation)
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.arg | ast.AnnAssign)
            and node.annotation is not None
            and name_of(node).endswith("_seconds")
        }
        yield from floats(parsed(path), exempt=seconds)

    expect_nothing(python_files("src/gongji_svc/domain"), find)


def name_of(node: ast.arg | ast.AnnAssign) -> str:
    return node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)


def floats(node: ast.AST, exempt: set[int]) -> Iterator[Finding]:
    """Float literals, true divisions and the name `float`, but for durations in seconds."""
    for child in ast.iter_child_nodes(node):
        if id(child) in exempt:
            continue
        literal = isinstance(child, ast.Constant) and isinstance(child.value, float)
        division = isinstance(child, ast.BinOp | ast.AugAssign) and isinstance(child.op, ast.Div)
        if literal or division or (isinstance(child, ast.Name) and child.id == "float"):
            yield getattr(child, "lineno", 0), ast.unparse(child)
        yield from floats(child, exempt)


def test_no_code_asks_which_region_it_is_in() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Compare) and any(
                isinstance(side, ast.Constant) and _SIX_DIGITS.fullmatch(str(side.value))
                for side in (node.left, *node.comparators)
            ):
                yield node.lineno, "a rule of one region belongs into its TOML file"

    expect_nothing(product(), find)


def test_the_name_of_a_test_is_a_sentence() -> None:
    def find(path: Path) -> Iterator[Finding]:
        for function in functions(parsed(path)):
            words = function.name.split("_")
            if words[0] == "test" and len(words) <= _SENTENCE_WORDS and not is_fixture(function):
                yield function.lineno, function.name

    expect_nothing(python_files("tests"), find)


def is_fixture(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)
