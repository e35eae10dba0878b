"""What the `.pyi` of a compiled module promises is there: its names, and the values of its enums."""

import ast
import enum
import importlib
from pathlib import Path

import pytest

import interceptor

PACKAGE = Path(interceptor.__file__).parent
#: of every compiled module, but for rooms of which this build has none: the debug build is of the engine alone
STUBS = sorted(
    path
    for path in PACKAGE.glob("*/*.pyi")
    if path.with_suffix(".pyx").exists() and any(path.parent.glob("*.so"))
)
#: bases of classes that are there for type checkers alone
TYPING_ONLY = {"TypedDict", "Protocol"}


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_stub_names_what_its_module_has(stub: Path) -> None:
    module = importlib.import_module(f"interceptor.{stub.parent.name}.{stub.stem}")
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            assert callable(getattr(module, node.name)), node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            assert hasattr(module, node.target.id), node.target.id
        elif isinstance(node, ast.ClassDef) and not TYPING_ONLY & {ast.unparse(base) for base in node.bases}:
            described = getattr(module, node.name)
            values = {
                target.id: ast.literal_eval(item.value)
                for item in node.body
                if isinstance(item, ast.Assign)
                for target in item.targets
                if isinstance(target, ast.Name)
            }
            if issubclass(described, enum.Enum):
                assert values == {name: member.value for name, member in described.__members__.items()}, (
                    node.name
                )
            methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
            assert [name for name in methods if not hasattr(described, name)] == [], node.name
