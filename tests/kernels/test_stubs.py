"""What the `.pyi` of a compiled module promises is there: its names, and the values of its enums."""

import ast
import enum
import importlib
from pathlib import Path

import pytest

import interceptor.engine

STUBS = sorted(Path(interceptor.engine.__file__).parent.glob("*.pyi"))


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: path.stem)
def test_a_stub_names_what_its_module_has(stub: Path) -> None:
    module = importlib.import_module(f"interceptor.engine.{stub.stem}")
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            assert callable(getattr(module, node.name)), node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            assert hasattr(module, node.target.id), node.target.id
        elif isinstance(node, ast.ClassDef):
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
