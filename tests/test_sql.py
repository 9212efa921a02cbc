"""SQL is fixed text with parameters: no value is ever written into a statement.

Rule: a statement's text may be put together where a module is loaded, when no value from outside is
there yet; inside a function only of the names below, which are those of our own tables and roles,
or text that SQLAlchemy made of our own statements. Migrations are text of one release, run by the
owner.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.test_tidy import Finding, parsed, product

_STATEMENT = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|COPY|CREATE|DROP|ALTER|GRANT|REVOKE|SET|ANALYZE|TRUNCATE|"
    r"LOCK|VALUES|LISTEN|NOTIFY|CALL|DO|EXECUTE|DECLARE|FETCH|MERGE)\b",
    re.IGNORECASE,
)
_TAKES_SQL = {"execute", "exec_driver_sql", "executemany", "stream", "copy", "text", "sql", "SQL"}
_MAKES_TEXT = {"format", "format_map", "replace", "join", "__mod__", "__add__"}
_QUOTED = ("sql.Identifier(", "sql.Literal(")  # by the driver
_NAMES: Mapping[str, set[str]] = {
    "storage/copying.py": {"table", "table.name", "columns"},
    "migrations/rights.py": {"table", "', '.join(rights)", "quote(table)", "quote(role)"},
    "storage/seals.py": {"statement"},
}


def in_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """What is evaluated when a function is called; its defaults and decorators are not."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            body = function.body if isinstance(function.body, list) else [function.body]
            for statement in body:
                yield from ast.walk(statement)


def put_together(node: ast.AST) -> tuple[str, list[ast.expr]] | None:
    """The fixed text and the parts of a text that is put together; None for any other node."""
    if isinstance(node, ast.JoinedStr):
        parts = [one.value for one in node.values if isinstance(one, ast.FormattedValue)]
        texts = [str(one.value) for one in node.values if isinstance(one, ast.Constant)]
        return ("".join(texts[:1]), parts) if parts else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return fixed(node.left), [node.right]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _MAKES_TEXT:
            return fixed(node.func.value), list(node.args)
        if node.func.attr == "encode":
            return put_together(node.func.value)
    return None


def fixed(node: ast.expr) -> str:
    """A literal's text, the leftmost where texts are added; "" for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return node.value if isinstance(node.value, str) else node.value.decode("latin-1")
    made = put_together(node)
    return made[0] if made else ""


def is_taken_as_sql(node: ast.AST) -> list[ast.expr]:
    """The first argument of a call that takes SQL."""
    if not isinstance(node, ast.Call):
        return []
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return node.args[:1] if name in _TAKES_SQL else []


def findings(tree: ast.Module, names: set[str]) -> Iterator[Finding]:
    """Statements put together of anything but these names."""
    nodes = {id(node): node for node in in_functions(tree)}
    asked = {id(argument) for node in nodes.values() for argument in is_taken_as_sql(node)}
    for key, node in nodes.items():
        made = put_together(node)
        if made is None or not (key in asked or _STATEMENT.match(made[0])):
            continue
        for part in map(ast.unparse, made[1]):
            if part not in names and not part.startswith(_QUOTED):
                yield getattr(node, "lineno", 0), f"{part} is written into a statement"


def statements() -> dict[str, ast.Module]:
    """Our source by folder and name."""
    files = [path for path in product() if path.parent.name != "versions"]
    return {str(Path(*path.parts[-2:])): parsed(path) for path in files}


def test_no_value_is_written_into_a_statement() -> None:
    for file, tree in statements().items():
        assert list(findings(tree, _NAMES.get(file, set()))) == [], file


def test_every_name_that_is_let_in_is_still_needed() -> None:
    trees = statements()
    for file, names in _NAMES.items():
        for name in names:
            assert list(findings(trees[file], names - {name})), f"{file}: {name}"


def test_every_way_to_write_a_value_into_a_statement_is_seen() -> None:
    for written in (
        'tx.execute(f"SELECT {name}")',
        'tx.execute("SELECT " + name)',
        'tx.execute("SELECT %s" % name)',
        'tx.execute("SELECT {}".format(name))',
        'tx.execute("SELECT name".replace("name", name))',
        'tx.execute(f"SELECT {name}".encode())',
        'tx.execute("SELECT " + "a, " + name)',
        "tx.execute(before + name)",
        'tx.execute(text(f"{name}"))',
        'query = f"DELETE FROM {name}"\n    tx.execute(query)',
        'query = "UPDATE t SET a = " + name\n    tx.execute(query)',
    ):
        tree = ast.parse(f"def run(tx, name):\n    {written}")
        assert list(findings(tree, set())), written
    fixed_text = 'ONE = f"SELECT {2}"\ndef run(tx, name):\n    tx.execute("SELECT %s", [name])'
    assert not list(findings(ast.parse(fixed_text), set()))
