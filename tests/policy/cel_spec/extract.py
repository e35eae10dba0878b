"""Makes cases.json from the conformance tests of the CEL specification, as the npm package @bufbuild/cel-spec has them.

    npm pack @bufbuild/cel-spec@0.6.1 && tar xzf bufbuild-cel-spec-0.6.1.tgz
    python tests/policy/cel_spec/extract.py package > tests/policy/cel_spec/cases.json

Needs Node.js. The package is Apache-2.0, its tests are those of google/cel-spec (Apache-2.0, Google LLC).
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: the files about what a policy's CEL has; the rest is about protobuf messages, macros and extension libraries
FILES = (
    *("basic", "comparisons", "conversions", "fp_math", "integer_math", "lists"),
    *("logic", "parse", "plumbing", "string", "timestamps"),
)
#: what a test may expect besides a value
ERRORS = ("evalError", "anyEvalErrors")


def cases(suite: dict[str, Any], path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for test in suite.get("tests", ()):
        original = test["original"]
        case: dict[str, Any] = {"name": "/".join((*path, original["name"])), "expr": original["expr"]}
        if "value" in original:
            case["value"] = original["value"]
        elif any(key in original for key in ERRORS):
            case["error"] = True
        elif "typedResult" in original or "unknown" in original:
            case["other"] = True
        else:
            case["value"] = {"boolValue": True}
        if original.get("bindings") or original.get("typeEnv"):
            case["variables"] = True
        yield case
    for inner in suite.get("suites", ()):
        yield from cases(inner, (*path, inner["name"]))


def main(package: Path) -> None:
    about = json.loads((package / "package.json").read_text())
    module = (package / "dist/esm/testdata/conformance.js").resolve()
    script = f"import {{tests}} from {json.dumps(module.as_uri())}; console.log(JSON.stringify(tests))"
    node = ["node", "--input-type=module", "-e", script]
    suites = json.loads(subprocess.run(node, check=True, capture_output=True).stdout)["suites"]
    taken = [case for suite in suites if suite["name"] in FILES for case in cases(suite, (suite["name"],))]
    left: dict[str, int] = {
        suite["name"]: sum(1 for _ in cases(suite, ())) for suite in suites if suite["name"] not in FILES
    }
    header = {
        "what": "conformance tests of the Common Expression Language",
        "source": f"google/cel-spec {about['upstreamCelSpecRef']}, tests/simple/testdata",
        "through": f"npm package {about['name']} {about['version']}",
        "license": "Apache-2.0",
        "copyright": "Google LLC; Buf Technologies, Inc.",
        "changes": "only name, expression and expected result of each test are kept, of the files that apply",
        "files_left_out": left,
    }
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in taken)
    sys.stdout.write('{"about": ' + json.dumps(header, indent=1) + ',\n"cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
