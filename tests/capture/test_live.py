"""A live port: what passes a wire of our own is what is read, and what was lost is counted."""

import json
import socket
import sys

import pytest
from tests.capture.ports import needs_wire, on_a_wire

from wardwatch.capture.live import MOST_MB, Port
from wardwatch.errors import CaptureError

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="packet sockets are Linux's"
)


@linux
def test_an_interface_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(CaptureError, match=r"nothere: there is no such interface; there are: .*lo"):
        Port("nothere")


@pytest.mark.parametrize("megabytes", [0, -1, MOST_MB + 1])
def test_a_ring_has_a_size(megabytes: int) -> None:
    if sys.platform.startswith("linux"):
        with pytest.raises(CaptureError, match=f"give 1 to {MOST_MB}"):
            Port("lo", megabytes=megabytes)


def test_elsewhere_another_tool_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(CaptureError, match=r"only Linux.*dumpcap"):
        Port("en0")


@linux
def test_who_may_not_listen_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(CaptureError, match=r"may not listen.*sudo.*wardwatch audit -"):
        Port("lo")


READ = """
import json
from wardwatch.capture.live import Port
from wardwatch.capture.sniff import open_stream
from tests.capture.making import drain
def heard(port):
    packets, told = drain(open_stream(port, port.name))
    (interface,) = told.interfaces
    return packets, told, interface
"""


@needs_wire
def test_what_passes_is_read_once_in_order_with_its_tags() -> None:
    ran = on_a_wire(
        READ
        + """
port = Port("here", seconds=1.0)
port.begin()
sent = []
for n in range(500):
    data = frame(n, 60 + 7 * n % 1400)
    if n % 5 == 0:
        data = data[:12] + b"\\x81\\x00" + (n | 1).to_bytes(2, "big") + data[12:]
    wire.send(data)
    sent.append(data)
begun = time.time_ns()
packets, told, interface = heard(port)
print(json.dumps([
    [p.data.hex() for p in packets] == [s.hex() for s in sent],
    [p.wire for p in packets] == [len(s) for s in sent],
    max(abs(p.time - begun) for p in packets) < 60e9, all(p.link == 1 for p in packets),
    interface.name, interface.received, interface.os_dropped, interface.resolution,
    len(told.damage), told.packets, port.packets, told.format]))
"""
    )
    assert ran.stderr == ""
    assert json.loads(ran.stdout) == [
        True, True, True, True, "here", 500, 0, 10**9, 0, 500, 500, "pcapng",
    ]  # fmt: skip


@needs_wire
def test_it_listens_from_the_first_read_on_and_says_so() -> None:
    ran = on_a_wire(
        READ
        + """
port = Port("here", seconds=0.5, begun=lambda: wire.send(frame(2)))
wire.send(frame(1))
packets, told, interface = heard(port)
print([p.data == frame(2) for p in packets], interface.received)
"""
    )
    assert (ran.stdout, ran.stderr) == ("[True] 1\n", "")


@needs_wire
def test_what_found_no_room_is_counted_and_told() -> None:
    ran = on_a_wire(
        READ
        + """
port = Port("here", megabytes=1, seconds=0.5)
port.begin()
for n in range(3000):
    wire.send(frame(n, 1000))
packets, told, interface = heard(port)
print(json.dumps([told.packets, interface.os_dropped, interface.received, port.lost]))
"""
    )
    assert ran.stderr == ""
    packets, dropped, received, lost = json.loads(ran.stdout)
    assert 500 < packets < 1100
    assert packets + dropped == received == 3000
    assert lost == dropped


@needs_wire
def test_nothing_is_sent() -> None:
    ran = on_a_wire(
        READ
        + """
other = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
other.bind(("there", 0x0300))
other.settimeout(1.5)
port = Port("here", seconds=0.5)
port.begin()
packets, told, interface = heard(port)
port.close()
try:
    print("heard", other.recv(2000))
except TimeoutError:
    print("silence", told.packets, told.damage)
"""
    )
    assert (ran.stdout, ran.stderr) == ("silence 0 ()\n", "")


@needs_wire
def test_an_interface_that_goes_down_ends_it_and_what_came_before_is_kept() -> None:
    ran = on_a_wire(
        READ
        + """
import threading
port = Port("here")
port.begin()
for n in range(10):
    wire.send(frame(n))
threading.Timer(0.5, ip, ("link", "set", "here", "down")).start()
packets, told, interface = heard(port)
print(told.packets, interface.received, [d.problem for d in told.damage])
"""
    )
    assert ran.stderr == ""
    assert ran.stdout == "10 10 ['the operating system stopped reading it: Network is down']\n"


@needs_wire
def test_who_stops_it_gets_what_had_come_by_then_and_a_copy_of_it() -> None:
    ran = on_a_wire(
        READ
        + """
import hashlib, io, threading
port, copy = Port("here"), io.BytesIO()
port.copy_to(copy)
port.begin()
for n in range(10):
    wire.send(frame(n))
threading.Timer(0.5, port.stop).start()
packets, told, interface = heard(port)
print(told.packets, told.sha256 == hashlib.sha256(copy.getvalue()).hexdigest())
again, same = drain(open_stream(io.BytesIO(copy.getvalue())))
print(again == packets, same.interfaces == told.interfaces)
"""
    )
    assert (ran.stdout, ran.stderr) == ("10 True\nTrue True\n", "")


@needs_wire
def test_a_copy_that_cannot_be_written_on_is_told_and_the_reading_goes_on() -> None:
    ran = on_a_wire(
        READ
        + """
port = Port("here", seconds=0.5)
port.begin()
port.copy_to(open("/dev/full", "wb", buffering=0))
wire.send(frame(1))
print(port.copy_damage, len(heard(port)[0]), port.copy_problem)
print(port.copy_damage.offset, port.copy_damage.problem)
"""
    )
    assert ran.stdout.splitlines() == [
        "None 1 No space left on device",
        "0 the copy that was made ends here (No space left on device); "
        "what follows was heard and is in no file",
    ]
    assert ran.stderr == ""


@needs_wire
def test_a_reader_with_little_room_gets_all_of_it() -> None:
    ran = on_a_wire(
        READ
        + """
import io
port = Port("here", seconds=0.5)
port.begin()
for n in range(200):
    wire.send(frame(n, 900))
all, room = bytearray(), memoryview(bytearray(1000))
while n := port.readinto(room):
    all += room[:n]
packets, told = drain(open_stream(io.BytesIO(bytes(all))))
print([p.data == frame(n, 900) for n, p in enumerate(packets)] == [True] * 200, told.damage)
"""
    )
    assert (ran.stdout, ran.stderr) == ("True ()\n", "")


@needs_wire
def test_a_loopback_is_heard_once() -> None:
    ran = on_a_wire(
        READ
        + """
ip("link", "set", "lo", "up")
port = Port("lo", seconds=0.5)
port.begin()
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("127.0.0.1", 0))
one.sendto(b"x" * 50, one.getsockname())
print(len(heard(port)[0]))
"""
    )
    assert (ran.stdout, ran.stderr) == ("1\n", "")


@needs_wire
def test_who_is_done_gives_the_ring_back() -> None:
    ran = on_a_wire(
        READ
        + """
def held():
    return sum("packet" in line or "socket:" in line for line in open("/proc/self/maps"))
port = Port("here", seconds=0.2)
port.begin()
wire.send(frame(1))
before = held()
packets, told, interface = heard(port)
print(before, held(), port.packets)
port.close()
"""
    )
    assert (ran.stdout, ran.stderr) == ("1 0 1\n", "")


@needs_wire
def test_while_packets_come_on_and_on_all_that_came_between_is_counted() -> None:
    ran = on_a_wire(
        READ
        + """
import threading
from wardwatch.capture import live
over = threading.Event()
def speak():
    n = 0
    while not over.is_set():
        wire.send(frame(n, 300))
        n += 1
speaker = threading.Thread(target=speak)
speaker.start()
for often in (60.0, 60.0, 60.0, 0.0, 0.01):
    live._COUNT_S = often  # how often the kernel is asked, whose counters begin anew each time
    port = Port("here", seconds=0.2)
    packets, told, interface = heard(port)
    numbers = [int.from_bytes(p.data[14:18], "big") for p in packets]
    whole = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    print(told.packets > 100, interface.received == told.packets, interface.os_dropped, whole)
over.set()
speaker.join()
"""
    )
    assert (ran.stdout, ran.stderr) == ("True True 0 True\n" * 5, "")


@needs_wire
def test_what_the_ring_tells_in_numbers_without_sense_is_counted_as_lost() -> None:
    ran = on_a_wire(
        READ
        + """
port = Port("here", seconds=0.3)
port.begin()
for n in range(10):
    wire.send(frame(n))
time.sleep(0.2)  # the kernel hands the block over
word = lambda at: int.from_bytes(port._shared[at : at + 4], sys.byteorder)
second = word(16) + word(word(16))
port._shared[second + 12 : second + 16] = b"\\xff" * 4  # octets kept
packets, told, interface = heard(port)
print(told.packets, interface.received, interface.os_dropped, port.lost)
"""
    )
    assert (ran.stdout, ran.stderr) == ("1 10 9 9\n", "")
