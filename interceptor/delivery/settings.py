"""The sinks file of `interceptor serve --sinks`: where events go, and what of them. Secrets stand in other files."""

import difflib
import ipaddress
import re
import ssl
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

Kind = Literal["decision", "reminder", "early-warning", "rule-demoted"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Said = Literal["pass", "warn", "block"]


class SinksError(ValueError):
    """A sinks file that cannot be used: each problem with its field and what to do, a line each."""


#: what words may leave room for: the number at the other end, and when the call was
PLACES = ("number", "time")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")


def _known_zone(name: str) -> str:
    if name not in (files("tzdata") / "zones").read_text().split():
        raise ValueError(f"{name!r} is no zone of time: write one like Asia/Shanghai")
    return name


def _fillable(words: str) -> str:
    try:
        places = [(name, spec, how) for _, name, spec, how in Formatter().parse(words) if name is not None]
    except ValueError as error:
        raise ValueError(f"{words!r}: {error}; a brace itself is written twice") from None
    for name, spec, how in places:
        if name not in PLACES or spec or how:
            raise ValueError(f"{{{name}}} is no place for anything: there are {{number}} and {{time}}")
    return words


class Entry(BaseModel):
    """What every part of the file is: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SpoolEntry(Entry):
    """Where events wait for their sinks."""

    directory: Path | None = None  #: None: `events` in the service's --data
    megabytes: Annotated[int, Field(ge=8, le=1 << 20)] = 256  #: the oldest go when more would be needed


class SinkEntry(Entry):
    """What every kind of sink may say."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    events: tuple[Kind, ...] = KINDS
    verdicts: tuple[Said, ...] = ("warn", "block")  #: of decisions
    rules: tuple[str, ...] | None = None  #: only what these rules said; None: all
    numbers: Literal["masked", "whole"] = "masked"
    keep_hours: Annotated[float, Field(gt=0)] = 72.0  #: what could not be delivered for so long is let go
    batch: Annotated[int, Field(ge=1, le=10_000)] = 500  #: events delivered at once, at most
    insecure: bool = False  #: plain text to other machines

    @field_validator("events", "verdicts")
    @classmethod
    def _some(cls, said: tuple[str, ...]) -> tuple[str, ...]:
        if not said:
            raise ValueError("there are none: name one at least, or leave it out")
        return said


class FileEntry(SinkEntry):
    """JSON lines in a file that is moved aside when it is full."""

    kind: Literal["file"]
    path: Path
    rotate_megabytes: Annotated[float, Field(gt=0)] = 100.0
    keep_files: Annotated[int, Field(ge=1, le=10_000)] = 10
    keep_days: Annotated[float, Field(gt=0)] | None = None  #: older files are taken away


class WebhookEntry(SinkEntry):
    """HTTP POST of batches, signed."""

    kind: Literal["webhook"]
    url: str
    secret_file: Path  #: a secret a line: the body is signed with each
    ca_file: Path | None = None  #: None: the system's
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0

    @model_validator(mode="after")
    def _guarded(self) -> "WebhookEntry":
        encrypted(self, self.url, secure="https", plain="http")
        return self


class ValkeyEntry(SinkEntry):
    """Entries of a Valkey or Redis stream."""

    kind: Literal["valkey"]
    url: str
    stream: Annotated[str, Field(min_length=1)] = "interceptor"
    keep_events: Annotated[int, Field(ge=1)] = 1_000_000  #: about so many stay in the stream
    username: str | None = None
    secret_file: Path | None = None  #: the password
    ca_file: Path | None = None
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0

    @model_validator(mode="after")
    def _guarded(self) -> "ValkeyEntry":
        encrypted(self, self.url, secure="rediss", plain="redis")
        return self


class KafkaEntry(SinkEntry):
    """Messages of a Kafka topic, keyed by caller."""

    kind: Literal["kafka"]
    brokers: Annotated[tuple[str, ...], Field(min_length=1)]  #: HOST:PORT
    topic: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")] = "interceptor"
    tls: bool = True
    ca_file: Path | None = None
    username: str | None = None
    secret_file: Path | None = None  #: the password
    sasl: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, brokers: tuple[str, ...]) -> tuple[str, ...]:
        for broker in brokers:
            if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/,]+):\d{1,5}", broker):
                raise ValueError(f"{broker!r} is no broker: write HOST:PORT")
        return brokers

    @model_validator(mode="after")
    def _guarded(self) -> "KafkaEntry":
        if (self.username is None) != (self.secret_file is None):
            raise ValueError("username and secret_file, the password's, go together")
        if not self.tls and not self.insecure:
            for broker in self.brokers:
                if not loopback(broker.rpartition(":")[0].strip("[]")):
                    raise ValueError(
                        f"{broker} would be told in plain text: leave out `tls: false`, or say `insecure: true`"
                    )
        return self


class OtlpEntry(SinkEntry):
    """A span a decision, to an OpenTelemetry collector over OTLP/HTTP."""

    kind: Literal["otlp"]
    events: tuple[Literal["decision"]] = ("decision",)
    verdicts: tuple[Said, ...] = ("pass", "warn", "block")
    url: str  #: with its path: https://collector:4318/v1/traces
    one_in: Annotated[int, Field(ge=1)] = 1  #: calls of which one is traced
    secret_file: Path | None = None  #: the value of the Authorization header
    ca_file: Path | None = None
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0

    @model_validator(mode="after")
    def _guarded(self) -> "OtlpEntry":
        encrypted(self, self.url, secure="https", plain="http")
        return self


AnySink = Annotated[
    FileEntry | WebhookEntry | ValkeyEntry | KafkaEntry | OtlpEntry, Field(discriminator="kind")
]


Zone = Annotated[str, AfterValidator(_known_zone)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]  # BCP 47
Words = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_fillable)]
Category = Annotated[str, Field(min_length=1, max_length=64)]  # a rule's reason


class RemindersEntry(Entry):
    """Messages for people whose call was warned about. What is shipped says the rest: policies/messages/."""

    timezone: Zone | None = None  #: of days and quiet hours; None: that of the service's home region
    quiet_hours: str | None = "22:00-07:00"  #: in which nobody is to be woken; null: none
    language: Language = "zh"
    #: before the shipped ones; null: says nothing
    templates: dict[Category, dict[Language, Words] | None] = {}
    #: whose caller is in danger, and reads them; besides the shipped ones
    to_caller: tuple[Category, ...] = ()

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, said: str | None) -> str | None:
        times = said.split("-") if said is not None else ["0:00", "0:01"]
        if len(times) != 2 or not all(map(_CLOCK.fullmatch, times)) or times[0] == times[1]:
            raise ValueError(f"{said!r} are no hours: write them like 22:00-07:00, in quotes")
        return said


class EarlyWarningsEntry(Entry):
    """Events of numbers that become highly suspected."""

    timezone: Zone | None = None  #: of days; None: that of the service's home region
    days: Annotated[int, Field(ge=1, le=31)] = 1  #: for so long a number is not warned of again


class Sinks(Entry):
    """A sinks file."""

    version: Literal[1]
    spool: SpoolEntry = SpoolEntry()
    reminders: RemindersEntry | None = None  #: None: there are none
    early_warnings: EarlyWarningsEntry | None = None  #: None: there are none
    sinks: tuple[AnySink, ...]

    @property
    def authorities(self) -> dict[str, Path]:
        """Files of those that receivers are known by, by the sink's name, where it is not the system's."""
        found = {sink.name: getattr(sink, "ca_file", None) for sink in self.sinks}
        return {name: path for name, path in found.items() if path is not None}

    @field_validator("sinks")
    @classmethod
    def _named_once(cls, sinks: tuple[AnySink, ...]) -> tuple[AnySink, ...]:
        if not sinks:
            raise ValueError("there are none: write one at least")
        names = [sink.name for sink in sinks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sinks are called {name}: a sink's place in the spool goes by its name")
        return sinks

    @model_validator(mode="after")
    def _made(self) -> "Sinks":
        for kind, section in (("reminder", "reminders"), ("early-warning", "early_warnings")):
            for sink in self.sinks:
                asked = "events" in sink.model_fields_set and kind in sink.events
                if asked and getattr(self, section) is None:
                    raise ValueError(
                        f"sink {sink.name} takes {kind} events, and none are made: write a section `{section}: {{}}`"
                    )
        return self


def read_settings(path: Path) -> Sinks:
    """Reads a sinks file. Raises SinksError."""
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SinksError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SinksError(f"{path}: is no UTF-8: save it as UTF-8") from None
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # a date that is none; lists in lists without end
        raise SinksError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(said, dict):
        raise SinksError(f"{path}: a sinks file is a mapping: it starts with `version: 1`")
    try:
        return Sinks.model_validate(said)
    except ValidationError as error:
        problems = [f"{path}: {_problem(said, each)}" for each in error.errors(include_url=False)]
        raise SinksError("\n".join(problems)) from None


def encrypted(entry: SinkEntry, url: str, *, secure: str, plain: str) -> None:
    """Raises ValueError for a URL that is neither encrypted, nor of this machine, nor said to be insecure."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("url: holds a password: put it into a file and name that as secret_file")
    if parts.scheme not in (secure, plain) or not parts.hostname:
        raise ValueError(f"url: {without_query(url)!r} is none of {secure}://HOST...: write it whole")
    if parts.scheme == plain and not entry.insecure and not loopback(parts.hostname):
        raise ValueError(
            f"url: {without_query(url)} would be told in plain text: write {secure}://, or say `insecure: true`"
        )


def without_query(url: str) -> str:
    """A URL as it may be shown: some receivers want a token in its query."""
    return url.partition("?")[0]


def loopback(host: str) -> bool:
    """Whether only this machine is `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Goes by the authorities of a file; None: by the system's. Raises SinksError."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise SinksError(f"ca_file {ca_file}: {error}: name a file of certificates (PEM)") from None


def secret(path: Path) -> str:
    """What a file of a secret holds, trimmed. Raises SinksError."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SinksError(f"secret_file {path}: cannot be read: {error}") from None
    if not text:
        raise SinksError(f"secret_file {path}: is empty: write the secret into it")
    return text


_MODELS: dict[str, type[BaseModel]] = {
    "file": FileEntry,
    "webhook": WebhookEntry,
    "valkey": ValkeyEntry,
    "kafka": KafkaEntry,
    "otlp": OtlpEntry,
}
_SECTIONS: dict[str, type[BaseModel]] = {
    "spool": SpoolEntry,
    "reminders": RemindersEntry,
    "early_warnings": EarlyWarningsEntry,
}


def _problem(said: dict[str, Any], details: ErrorDetails) -> str:
    """``sinks[1] (sms) url: is missing``."""
    place = [part for part in details["loc"] if not (isinstance(part, str) and part in _MODELS)]
    where = ""
    for part in place:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
        if re.fullmatch(r"sinks\[\d+\]", where):
            sink = said["sinks"][part]
            name = sink.get("name") if isinstance(sink, dict) else None
            where += f" ({name})" if isinstance(name, str) else ""
    return f"{where}: {_message(said, place, details)}" if where else _message(said, place, details)


def _message(said: dict[str, Any], place: list[str | int], details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return "is missing: write it"
    if kind == "extra_forbidden":
        keys = _keys_beside(said, place)
        name = str(place[-1])
        like = [key for key in keys if key.startswith(name)] or difflib.get_close_matches(name, keys, 1)
        return f"is no key; {f'did you mean {like[0]}?' if like else 'there are ' + ', '.join(keys)}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return f"kind: say which: {', '.join(_MODELS)}"
    if kind == "string_pattern_mismatch":
        return f"{details['input']!r} is no name: it must match {context['pattern']}"
    message = details["msg"]
    return f"{message[:1].lower()}{message[1:]}, not {details['input']!r}"[:300]


def _keys_beside(said: dict[str, Any], place: list[str | int]) -> list[str]:
    """The keys that may stand beside the one at a place."""
    model: type[BaseModel] = Sinks
    if len(place) > 1:
        model = _SECTIONS.get(str(place[0]), Sinks)
        if place[0] == "sinks" and isinstance(place[1], int):
            model = _MODELS[said["sinks"][place[1]]["kind"]]
    return list(model.model_fields)
