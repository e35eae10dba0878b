"""A certificate authority for tests, run by the openssl command."""

import datetime
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

#: for `pytestmark`
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-utf8")
SETTINGS = """
[ca]
default_ca = here
[here]
database = index
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
copy_extensions = copyall
policy = any
[any]
commonName = optional
organizationName = optional
"""


@dataclass(frozen=True)
class Identity:
    """Files of a certificate and its key, PEM."""

    certificate: Path
    key: Path


class Authority:
    """A CA, whose certificate is `ca`, and what it issues; everything lies in `directory`."""

    def __init__(self, directory: Path, name: str = "test CA") -> None:
        self.directory = directory
        self.ca = directory / "ca.pem"
        (directory / "settings").write_text(SETTINGS)
        (directory / "index").touch()
        self.openssl(
            "req",
            "-x509",
            *CURVE,
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            f"/CN={name}",
            "-days",
            "9",
        )

    def issue(
        self, name: str, alternative: str = "", *, subject: str | None = None, since: int = -1, until: int = 7
    ) -> Identity:
        """A certificate for the common name `name`, or for `subject`; the files are called `name`.

        Parameters
        ----------
        alternative
            Its subjectAltName in openssl's notation: ``DNS:localhost,IP:127.0.0.1``, ``DER:30:...``
        since, until
            When it begins and ends to be valid, in days from now.
        """
        if subject is None:
            subject = name
        names = ("-addext", f"subjectAltName={alternative}") if alternative else ()
        asked = (
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={subject}" if subject else "/O=nobody",
        )
        self.openssl("req", *CURVE, *asked, *names)
        signing = ("-cert", "ca.pem", "-keyfile", "ca.key", "-startdate", day(since), "-enddate", day(until))
        self.openssl(
            "ca",
            "-config",
            "settings",
            "-batch",
            "-notext",
            "-in",
            f"{name}.csr",
            "-out",
            f"{name}.pem",
            *signing,
        )
        return Identity(self.directory / f"{name}.pem", self.directory / f"{name}.key")

    def openssl(self, *arguments: str) -> None:
        """Runs `openssl ARGUMENTS` in the directory."""
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)


def day(offset: int) -> str:
    """Now and `offset` days, as openssl writes times."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=offset)
    return moment.strftime("%Y%m%d%H%M%SZ")
