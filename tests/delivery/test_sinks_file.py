"""Sinks files: what is wrong is said with its field and what to do; nothing goes in plain text to another machine."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.delivering import Delivering, name_of
from interceptor.delivery.rotation import RotatingFile
from interceptor.delivery.settings import SinksError, read_settings
from interceptor.delivery.webhook import key_of
from service.running import environment, run

FILE: dict[str, Any] = {"name": "lines", "kind": "file", "path": "/tmp/lines"}
HOOK: dict[str, Any] = {
    "name": "sms",
    "kind": "webhook",
    "url": "https://sms.example/in",
    "secret_file": "/secret",
}
STREAM: dict[str, Any] = {"name": "s", "kind": "valkey", "url": "rediss://stream.example"}
KAFKA: dict[str, Any] = {"name": "k", "kind": "kafka", "brokers": ["kafka.example:9093"]}
OTLP: dict[str, Any] = {"name": "t", "kind": "otlp", "url": "https://otlp.example/v1/traces"}


def problems(directory: Path, said: object) -> list[str]:
    """What is wrong with a file, without its name."""
    path = directory / "sinks.yaml"
    path.write_text(said if isinstance(said, str) else yaml.safe_dump(said))
    try:
        read_settings(path)
    except SinksError as error:
        return [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
    return []


def of(*sinks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": 1, "sinks": list(sinks), **more}


def test_a_good_file_has_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, of(FILE, HOOK, STREAM, KAFKA, OTLP)) == []


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("", "a sinks file is a mapping: it starts with `version: 1`"),
        ("a: [", "is no YAML: while parsing a flow node"),
        ({"sinks": [FILE]}, "version: is missing: write it"),
        (of(), "sinks: there are none: write one at least"),
        (of(FILE, spool={"megabyte": 5}), "spool.megabyte: is no key; did you mean megabytes?"),
        (of(FILE, spool={"megabytes": 1}), "spool.megabytes: input should be greater than or equal to 8, not 1"),
        (of(FILE | {"kind": "files"}), "sinks[0] (lines): kind: say which: file, webhook, valkey, kafka, otlp"),
        (of({"name": "x"}), "sinks[0] (x): kind: say which: file, webhook, valkey, kafka, otlp"),
        (of({"kind": "file", "path": "x"}), "sinks[0].name: is missing: write it"),
        (of(FILE | {"name": "two words"}), "sinks[0] (two words).name: 'two words' is no name: it must match"),
        (of(FILE, HOOK | {"secret": "x"}), "sinks[1] (sms).secret: is no key; did you mean secret_file?"),
        (of(FILE | {"events": ["decisions"]}), "sinks[0] (lines).events[0]: input should be 'decision', 'reminder'"),
        (of(FILE | {"verdicts": []}), "sinks[0] (lines).verdicts: there are none: name one at least"),
        (of(FILE | {"numbers": "all"}), "sinks[0] (lines).numbers: input should be 'masked' or 'whole', not 'all'"),
        (of(FILE, FILE), "sinks: two sinks are called lines"),
        (of(HOOK | {"url": "sms.example/in"}), "sinks[0] (sms): url: 'sms.example/in' is none of https://HOST"),
        (of(HOOK | {"url": "http://sms.example/in"}), "write https://, or say `insecure: true`"),
        (of(HOOK | {"url": "https://a:b@sms.example"}), "url: holds a password: put it into a file"),
        (of(STREAM | {"url": "valkey://:b@sms.example"}), "url: holds a password: put it into a file"),
        (of(HOOK | {"url": "http://sms.example/in?key=b"}), "url: http://sms.example/in would be told in plain text"),
        (of(STREAM | {"url": "redis://10.0.0.1"}), "write rediss://, or say `insecure: true`"),
        (of(OTLP | {"url": "http://127.1.example/v1"}), "write https://, or say `insecure: true`"),
        (of(OTLP | {"events": ["reminder"]}), "sinks[0] (t).events[0]: input should be 'decision', not 'reminder'"),
        (of(KAFKA | {"brokers": ["kafka"]}), "sinks[0] (k).brokers: 'kafka' is no broker: write HOST:PORT"),
        (of(KAFKA | {"username": "us"}), "username and secret_file, the password's, go together"),
        (of(KAFKA | {"tls": False}), "kafka.example:9093 would be told in plain text: leave out `tls: false`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_field(said: object, problem: str, tmp_path: Path) -> None:
    (told,) = problems(tmp_path, said)
    assert problem in told


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, of(FILE | {"batch": 0}, HOOK | {"timeout_s": "x", "colour": "red"}))) == 3


@pytest.mark.parametrize(
    "sink",
    [
        HOOK | {"url": "http://127.0.0.1:9/in"},
        HOOK | {"url": "http://[::1]:9/in"},
        HOOK | {"url": "http://sms.example/in", "insecure": True},
        STREAM | {"url": "redis://localhost"},
        KAFKA | {"tls": False, "brokers": ["127.0.0.1:9092", "[::1]:9092"]},
        KAFKA | {"tls": False, "insecure": True},
    ],
)
def test_plain_text_goes_to_this_machine_or_where_it_is_said_to(sink: dict[str, Any], tmp_path: Path) -> None:
    assert problems(tmp_path, of(sink)) == []


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinksError, match=r"none\.yaml: cannot be read: No such file"):
        read_settings(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    with pytest.raises(SinksError, match=r"bytes\.yaml: is no UTF-8"):
        read_settings(tmp_path / "bytes.yaml")
    for text in ("version: [", "version: 2026-13-01T00:00:00", "version: " + "[" * 5000):
        (tmp_path / "other.yaml").write_text(text)
        with pytest.raises(SinksError, match=r"other\.yaml: is no YAML: "):
            read_settings(tmp_path / "other.yaml")


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        (HOOK | {"secret_file": "none"}, "sink sms: secret_file none: cannot be read"),
        (HOOK | {"secret_file": "empty"}, "sink sms: secret_file empty: is empty: write the secret into it"),
        (HOOK | {"secret_file": "bad"}, "sink sms: secret_file: no base64 behind whsec_"),
        (HOOK | {"secret_file": "good", "ca_file": "none"}, "sink sms: ca_file none: "),
        (KAFKA | {"ca_file": "none"}, "sink k: ca_file none: "),
        (STREAM | {"ca_file": "empty"}, "sink s: ca_file empty: "),
        (
            FILE | {"path": "none/lines"},
            "sink lines: path none/lines: No such file or directory: name a file",
        ),
    ],
)
def test_a_service_does_not_start_with_a_sink_that_cannot_be(
    sink: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "bad").write_text("whsec_*\n")
    (tmp_path / "good").write_text("x")
    named = {
        name: str(tmp_path / value)
        for name, value in sink.items()
        if name in ("secret_file", "ca_file", "path")
    }
    with pytest.raises(SinksError) as refused:
        Delivering(tmp_path, sink | named)
    assert said in str(refused.value).replace(f"{tmp_path}/", "")


def test_the_command_says_what_is_wrong_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "sinks.yaml").write_text("version: 1\nsinks: [{name: lines, kind: file}]\n")
    done = run("serve", "--data", tmp_path / "data", "--sinks", tmp_path / "sinks.yaml")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("sinks.yaml: sinks[0] (lines).path: is missing: write it")
    assert not (tmp_path / "data").exists()


def test_a_kind_whose_package_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkey", None)
    monkeypatch.delitem(sys.modules, "interceptor.delivery.stream", raising=False)
    with pytest.raises(SinksError, match=r"sink s: needs the package valkey: pip install .*\[sinks\]"):
        Delivering(tmp_path, STREAM)


def test_what_sinks_there_are_decides_which_packages_are_loaded() -> None:
    loaded = run_python("import interceptor.runtime.publishing, sys; print(*sys.modules)")
    assert "interceptor.delivery.outlets" in loaded
    assert not {"httpx", "valkey", "confluent_kafka", "opentelemetry"} & set(loaded)


def run_python(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    return done.stdout.split()


def test_a_secret_is_base64_behind_its_prefix_or_text() -> None:
    assert key_of("whsec_AAEC\n") == b"\0\1\2"
    assert key_of(" plain words ") == b"plain words"


# --- files of lines


def test_lines_are_moved_aside_by_size_and_go_by_age(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    sinks = Delivering(
        tmp_path, FILE | {"path": lines, "rotate_megabytes": 0.004, "keep_files": 3, "keep_days": 1}
    )
    sinks.put(*range(1, 41))
    sinks.emptied("lines")
    files = sorted(path.name for path in tmp_path.glob("lines*"))
    assert files == ["lines", "lines.1", "lines.2", "lines.3"]
    assert all((tmp_path / name).stat().st_size <= 4_000 for name in files)
    assert name_of(40) in lines.read_text()
    os.utime(tmp_path / "lines.2", (0, 0))
    sinks.put(*range(41, 51))
    sinks.emptied("lines")
    sinks.stop()
    assert sorted(path.name for path in tmp_path.glob("lines*")) == ["lines", "lines.1", "lines.2"]


def test_a_line_that_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"id": 1}\n{"id": 2, "da')
    file = RotatingFile(path)
    file.write([b'{"id": 2}\n'])
    file.close()
    assert path.read_text() == '{"id": 1}\n{"id": 2}\n'
