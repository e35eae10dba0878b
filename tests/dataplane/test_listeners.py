"""Where a data plane listens: addresses as operators write them, and what is said of those that cannot be had."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from interceptor.dataplane.listeners import Listener, listen


@pytest.fixture
def bound() -> Iterator[list[Listener]]:
    listeners: list[Listener] = []
    yield listeners
    for each in listeners:
        each.close()


def test_port_zero_is_replaced_by_the_one_the_system_chose(bound: list[Listener]) -> None:
    bound += listen(["127.0.0.1:0", "127.0.0.1:0"], 1000)
    first, second = (each.socket.getsockname()[1] for each in bound)
    assert [each.address for each in bound] == [f"127.0.0.1:{first}", f"127.0.0.1:{second}"]
    assert first != second


def test_a_name_is_listened_to_on_all_its_addresses_at_one_port(bound: list[Listener]) -> None:
    bound += listen(["localhost:0"], 1000)
    port = bound[0].socket.getsockname()[1]
    assert {each.address for each in bound} == {f"localhost:{port}"}
    assert all(each.socket.getsockname()[1] == port for each in bound)
    with closing(socket.create_connection(("127.0.0.1", port))):
        pass


def test_what_a_connection_needs_it_has_from_its_listener(bound: list[Listener]) -> None:
    bound += listen(["127.0.0.1:0"], 12_000)
    with closing(socket.create_connection(bound[0].socket.getsockname())):
        bound[0].socket.setblocking(True)
        accepted, _ = bound[0].socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 12_000


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("50051", "give HOST:PORT"),
        (":50051", "give HOST:PORT"),
        ("127.0.0.1:", "give HOST:PORT"),
        ("127.0.0.1:65536", "give HOST:PORT"),
        ("127.0.0.1:http", "give HOST:PORT"),
        ("127.0.0.1:-1", "give HOST:PORT"),
        ("127.0.0.1:٣", "give HOST:PORT"),
        ("::1:50051", r"write an IPv6 address in brackets, \[::1\]:50051"),
        ("unix:", "give unix:PATH"),
    ],
)
def test_what_is_no_address_is_said_so(address: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        listen([address], 1000)


def test_an_address_that_is_taken_is_named_and_nothing_stays_bound(
    tmp_path: Path, bound: list[Listener]
) -> None:
    bound += listen(["127.0.0.1:0"], 1000)
    path = tmp_path / "calls.sock"
    with pytest.raises(OSError, match=f"cannot listen on {bound[0].address}: .*in use"):
        listen([f"unix:{path}", bound[0].address], 1000)
    assert not path.exists()


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0: "):
        listen(["192.0.2.1:0"], 1000)


def test_a_host_that_has_no_address_is_named() -> None:
    with pytest.raises(OSError, match=r"nowhere\.invalid is no address of this machine"):
        listen(["nowhere.invalid:0"], 1000)


def test_a_unix_socket_is_for_its_owner_and_group_and_goes_with_its_listener(tmp_path: Path) -> None:
    path = tmp_path / "calls.sock"
    before = os.umask(0o077)
    try:
        (one,) = listen([f"unix:{path}"], 1000)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    one.close()
    assert not path.exists()


def test_a_file_that_took_its_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "calls.sock"
    (one,) = listen([f"unix:{path}"], 1000)
    path.rename(tmp_path / "away")
    path.write_text("somebody else's")
    one.close()
    assert path.read_text() == "somebody else's"


def test_the_socket_a_crashed_service_left_is_taken_over(tmp_path: Path, bound: list[Listener]) -> None:
    path = tmp_path / "calls.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    bound += listen([f"unix:{path}"], 1000)
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect(str(path))


def test_a_socket_on_which_somebody_listens_stays_his(tmp_path: Path, bound: list[Listener]) -> None:
    path = tmp_path / "calls.sock"
    bound += listen([f"unix:{path}"], 1000)
    with pytest.raises(OSError, match=r"cannot listen on unix:.*: another process listens there"):
        listen([f"unix:{path}"], 1000)


def test_a_file_that_is_no_socket_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "calls.sock"
    path.write_text("a letter")
    with pytest.raises(OSError, match="it is no socket"):
        listen([f"unix:{path}"], 1000)
    assert path.read_text() == "a letter"
