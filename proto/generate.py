"""Makes interceptor/pb from the .proto files: ``python proto/generate.py [DIRECTORY]``.

protoc writes imports by the path of a .proto file (``from interceptor.v1 import ...``). Ours live one floor deeper,
so that these lines are rewritten (``from interceptor.pb.v1 import ...``). Nothing else is touched.
"""

import re
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
PB = PROTO.parent / "interceptor" / "pb"
FILES = tuple(sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("interceptor/v*/*.proto")))
OURS = r"^from interceptor\.(v\d+) import"


def generate(target: Path) -> list[Path]:
    """Writes the generated modules below `target` and returns their paths relative to it."""
    with tempfile.TemporaryDirectory() as scratch:
        outputs = [f"--{kind}_out={scratch}" for kind in ("python", "pyi", "grpc_python")]
        include = f"-I{files('grpc_tools') / '_proto'}"
        if protoc.main(["protoc", f"-I{PROTO}", include, *outputs, *FILES]) != 0:
            raise SystemExit("protoc failed; its message is above")
        made = []
        root = Path(scratch) / "interceptor"
        for source in sorted(root.rglob("*.py*")):
            relative = source.relative_to(root)
            text = re.sub(OURS, r"from interceptor.pb.\1 import", source.read_text(), flags=re.MULTILINE)
            destination = target / relative
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_text(text)
            made.append(relative)
    return made


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else PB
    for module in generate(directory):
        print(directory / module)
