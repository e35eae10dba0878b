"""The settings file: what it may say, and what is said of one that is wrong."""

from pathlib import Path

import pytest

from interceptor.client import Tls, Verdict
from interceptor.integrations.kamailio.settings import Refusing, Settings, SettingsError, Trunk, Warning, load
from kamailio.telephony import SHIPPED

TRUNKS = """
[[trunks]]
name = "wide"
sources = ["192.0.2.0/24", "2001:db8::/32"]
[[trunks]]
name = "narrow"
sources = ["192.0.2.128/25"]
international = false
verified = true
"""


def written(directory: Path, text: str) -> Settings:
    (directory / "interceptor.toml").write_text(text)
    return load(directory / "interceptor.toml")


def same(one: Settings, other: Settings) -> bool:
    return repr(one) == repr(other)


def test_the_file_shipped_says_what_holds_without_one(tmp_path: Path) -> None:
    assert same(load(SHIPPED / "interceptor.toml"), Settings())
    assert same(written(tmp_path, ""), Settings())


def test_what_is_commented_out_in_the_file_shipped_may_be_said(tmp_path: Path) -> None:
    lines = (SHIPPED / "interceptor.toml").read_text().splitlines()
    said = [line.removeprefix("# ") if line.startswith("# ") and ("=" in line or "[" in line[:4]) else line
            for line in lines]  # fmt: skip
    settings = written(tmp_path, "\n".join(said))
    assert settings.tls == Tls(
        "/etc/kamailio/interceptor-ca.pem", "/etc/kamailio/switch.pem", "/etc/kamailio/switch.key"
    )
    assert settings.refusing == Refusing(
        608, "https://example.net/complain.jws", "https://example.net/blocked", "RLN"
    )
    assert settings.warning == Warning("Suspected fraud", {"highly-suspected": "Highly suspected"})
    assert settings.trunk("192.0.2.1").international is True


def test_everything(tmp_path: Path) -> None:
    settings = written(
        tmp_path,
        'targets = ["unix:/run/i.sock", "192.0.2.1:50051"]\ndeadline_ms = 20\notherwise = "block"\nhome = "DE"\n'
        'emergency = ["12395"]\n[refusing]\nanalytics = 603\n[warning]\nlabel = ""\n',
    )
    assert settings.targets == ("unix:/run/i.sock", "192.0.2.1:50051")
    assert (settings.deadline_ms, settings.otherwise, settings.home) == (20, Verdict.BLOCK, "DE")
    assert (settings.emergency, settings.refusing.analytics, settings.warning.label) == (("12395",), 603, "")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("192.0.2.1", "wide"),
        ("192.0.2.200", "narrow"),
        ("[2001:db8::1]", "wide"),
        ("2001:db8::1", "wide"),
        ("198.51.100.1", ""),
        ("", ""),
        ("nowhere", ""),
    ],
)
def test_a_trunk_is_known_by_the_address_calls_come_from(tmp_path: Path, source: str, name: str) -> None:
    settings = written(tmp_path, TRUNKS)
    assert settings.trunk(source).name == name
    assert settings.trunk("198.51.100.1") == Trunk()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("targets = []", "targets: name at least one"),
        ("targets = [1]", "targets: [1] is not a list of texts"),
        ("deadline = 5", "deadline: there is no such setting"),
        ("deadline_ms = 0", "deadline_ms: 0 is not from 1 to 5000"),
        ("deadline_ms = true", "deadline_ms: True is not a whole number"),
        ('otherwise = "drop"', "otherwise: 'drop' is none of pass, warn, block"),
        ("home = 86", "home: 86 is not a text"),
        ("refusing = 1", "refusing: 1 is not a table"),
        ("[refusing]\nanalytics = 607", "refusing.analytics: 607 is neither 603 nor 608"),
        ('[refusing]\njcard_url = "a\\nb"', "refusing.jcard_url: 'a\\nb' has characters that no SIP header may have"),
        ("[warning.labels]\nsim-box = 1", "warning.labels.sim-box: 1 is not a text"),
        ("[tls]\nca_file = 1", "tls.ca_file: there is no such setting"),
        ('[tls]\nserver_name = "x"', "tls.ca: whose certificates"),
        ('[tls]\nca = "x"\nkey = "y"', "tls.key: "),
        ('trunks = ["a"]', "trunks: ['a'] is not a list of tables: write [[trunks]]"),
        ('[[trunks]]\nname = "a"', "trunks[0].name: a trunk needs a name, and sources"),
        ('[[trunks]]\nname = "a"\nsources = ["192.0.2.1/24"]', "trunks[0].sources: 192.0.2.1/24 has host bits set"),
        ('[[trunks]]\nname = "a"\nsources = ["::1"]\nverified = 1', "trunks[0].verified: 1 is not true or false"),
        ("targets", "Expected '='"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        written(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/interceptor.toml: ")
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")
