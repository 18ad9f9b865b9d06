"""Logins: who got in where, over FTP and telnet, and what was fetched before anybody did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from wardwatch.decode.kernels.conversations import ANYTHING, LINES
from wardwatch.decode.kernels.young import AT_ONCE, TYPED
from wardwatch.decode.stream import Chunk
from wardwatch.decode.wire import ftp, telnet
from wardwatch.decode.wire.banner import SHOWN
from wardwatch.decode.wire.reader import text
from wardwatch.observe.follow import FOLLOW, IGNORE, Flow, Follower, Inbox
from wardwatch.observe.told import packet_of, where_of
from wardwatch.observe.where import Where

if TYPE_CHECKING:
    from wardwatch.decode.stream import Gap
    from wardwatch.observe.told import Raw

MAX_LINE = ftp.LONGEST_ARGUMENT
"""Octets of a line that is still taken for one; sixteen times what FTP servers take."""
MAX_PENDING = 64
"""FTP commands waiting for a reply: nobody pipelines more, and the server answers in order."""
MAX_EXTRA_LINES = 16
"""Lines of a greeting or HELP kept: the MQX server's HELP has five."""
MAX_BANNERS = 4
"""Lines of a telnet server kept as its banner."""
MAX_OUTCOME = 4096
"""Octets a telnet server may say behind a password before its outcome is called unknown."""
MAX_TYPED = 256
"""Octets of a typed line: canonical mode ends lines at 255 (POSIX MAX_CANON)."""


class Attempt(msgspec.Struct):
    """One attempt to log in, until its outcome is known. Holds no secret, only its digest."""

    where: Where
    user: str = ""
    secret: str = ""
    secret_packet: int = -1
    known_default: str = ""
    anonymous: bool = False


def add_login(
    flow: Flow, server: int, protocol: str, attempt: Attempt, outcome: str, decided: int
) -> None:
    """Add a row of ``logins``."""
    far, near = flow.ends[server], flow.ends[1 - server]
    row = {
        "protocol": protocol,
        "client": near.ip,
        "server": far.ip,
        "server_port": far.port,
        "server_mac": far.mac,
        "client_mac": near.mac,
        "user": attempt.user,
        "secret": attempt.secret,
        "secret_packet": attempt.secret_packet,
        "known_default": attempt.known_default,
        "outcome": outcome,
        "outcome_packet": decided,
        "anonymous": attempt.anonymous,
        "from_start": flow.from_start,
    }
    flow.add("logins", attempt.where, row)


class _Pending(msgspec.Struct):
    """A command that waits for its reply."""

    verb: str
    where: Where
    argument: bytes = b""
    path: str = ""
    begin_code: int = -1
    begin_packet: int = -1


MOST_TYPED = MAX_LINE - AT_ONCE * TYPED
"""Octets of a line up to which none of the rows that a kernel tells at once can make it too long."""


class Ftp(Follower):
    """An FTP control connection, RFC 959: replies answer commands in their order."""

    service = "ftp"
    interest = FOLLOW
    agrees = True

    def __init__(self, flow: Flow, server: int) -> None:
        super().__init__(flow)
        self._server = server
        self._boxes = (Inbox(flow.streams[0]), Inbox(flow.streams[1]))
        self._newest: list[Raw | None] = [None, None]
        """The packet of each side's newest bytes, where nobody has cited it."""
        self._to_line_end = [False, False]
        self._pending: list[_Pending] = []
        self._attempt: Attempt | None = None
        self._user = ""
        self._welcomed = False  # 230 or 232 came
        self._greeted = False
        self._multi = 0  # code of a multi-line reply that goes on
        self._multi_at = -1
        self._extra = 0
        self._mode = ""
        self._given = b""  # the last secret: a reply that repeats it is not kept

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        return len(self._boxes[0]) + len(self._boxes[1])

    def agreeing(self) -> int:
        """Those that end a line, where no hole may be filled and no line be too long before one does."""
        one, two = self._boxes
        if max(len(one.data), len(two.data)) > MOST_TYPED:
            return ANYTHING
        first, second = self.flow.streams
        return ANYTHING if first.held or second.held else LINES

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        box = self._boxes[side]
        self._cite(side)
        fresh = box.feed(chunk)
        while self.flow.follower is self:  # AUTH TLS hands the rest over
            end = box.data.find(b"\n")
            if end < 0 and len(box) <= MAX_LINE:
                return
            size = end + 1 if end >= 0 else MAX_LINE
            line = box.take(size).rstrip(b"\r\n")
            ended_before = box.previous is not None and len(line) <= fresh
            rest_of_long = self._to_line_end[side]
            self._to_line_end[side] = end < 0
            last = box.previous if ended_before and box.previous else chunk.mark
            fresh = max(fresh - size, 0)
            box.previous = box.previous if fresh else None
            if rest_of_long:
                continue
            if b"\xff" in line:  # RFC 959 §5.3: the control connection follows telnet's rules
                piece, _ = telnet.parse(line)
                line = piece.text if piece else line
            self.flow.shared.parser_calls += 1
            if side == self._server:
                self._reply(line, chunk.mark)
            elif line.strip():
                self._command(line, chunk.mark, last)
        if len(box):  # what follows AUTH in the same segment belongs to TLS
            rest = box.take(len(box))
            self.flow.follower.data(side, Chunk(box.start - len(rest), rest, chunk.mark))

    def quiet(self, side: int, octets: bytes, raw: Raw) -> int | None:
        """Take what ends no line, where it is no long one and begins behind the line before."""
        box, size = self._boxes[side], len(octets)
        said = box.data
        if 10 in octets or len(said) + size > MOST_TYPED:
            return None
        if not said and box.start != self.flow.streams[side].next - size:
            return None
        said += octets
        self._newest[side] = raw
        return size

    def settle(self) -> None:
        """Cite the newest packets as they are told here."""
        self._cite(0)
        self._cite(1)

    def _cite(self, side: int) -> None:
        raw, self._newest[side] = self._newest[side], None
        if raw is not None:
            self._boxes[side].mark = where_of(self.flow.shared.names, raw)

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._newest[side] = None
        self._boxes[side].clear()
        self._to_line_end[side] = True
        self._multi = 0
        self._drop_pending()

    def end(self) -> None:
        """Write what is still open."""
        self._drop_pending()
        if self._attempt is not None:
            self._decide("unknown", -1)

    def _drop_pending(self) -> None:
        for pending in self._pending:
            if pending.verb in ftp.TRANSFERS:
                self._transfer(pending, -1, -1)
        self._pending.clear()

    def _command(self, line: bytes, where: Where, last: Where) -> None:
        command, anomalies = ftp.parse_command(line)
        if anomalies:
            self.flow.anomalies("ftp", anomalies, where)
        if command is None:
            return
        verb = command.verb
        self._row(where, "command", verb, ftp.shown_argument(command), -1, "")
        pending = _Pending(verb, where)
        if verb == "USER":
            if self._attempt is not None:
                self._decide("unknown", -1)
            self._user = text(command.argument.strip(), SHOWN)
            self._attempt = Attempt(where, self._user, anonymous=_anonymous(self._user))
        elif verb in ("PASS", "ACCT"):
            self._secret(verb, command.argument, where, last)
        elif verb in ("PORT", "EPRT", "AUTH"):
            pending.argument = command.argument[:64]
        elif verb in ftp.TRANSFERS:
            pending.path = text(command.argument.strip(), ftp.LONGEST_ARGUMENT)
        if len(self._pending) < MAX_PENDING:
            self._pending.append(pending)

    def _secret(self, verb: str, secret: bytes, where: Where, last: Where) -> None:
        if self._attempt is None:
            self._attempt = Attempt(where, self._user, anonymous=_anonymous(self._user))
        attempt = self._attempt
        if verb == "ACCT" and attempt.secret:
            return  # the password counts; ACCT only adds to it
        known = self.flow.shared.secrets
        self._given = b"" if attempt.anonymous else secret.strip()
        attempt.where = where
        attempt.secret = known.digest(secret)
        attempt.secret_packet = last.packet
        attempt.known_default = known.known_default(secret, "ftp")

    def _reply(self, line: bytes, where: Where) -> None:
        if self._multi:
            code = self._multi
            self._extra += 1
            if line[:4] == b"%d " % code:  # RFC 959 §4.2: same code and <SP> end it
                self._multi = 0
                if where.packet != self._multi_at:
                    self._row(where, "reply", "", "", code, self._shown(line[4:]))
            elif code in (214, 220) and self._extra <= MAX_EXTRA_LINES:
                self._row(where, "reply", "", "", code, self._shown(line.strip()))
            return
        reply, anomalies = ftp.parse_reply(line)
        if reply is None:
            if not self._greeted and line.strip():
                self.flow.anomalies("ftp", anomalies, where)
            return
        code = reply.code
        said = self._shown(reply.text)
        if reply.more:
            self._multi, self._extra, self._multi_at = code, 0, where.packet
        self._row(where, "reply", "", "", code, said)
        if not self._greeted:
            self._greeted = True
            if code in (120, 220, 421):
                self.flow.banner(self._server, "ftp", text(line, SHOWN)[:SHOWN], where)
        if code in (230, 232):
            self._welcomed = True
        if code == 421:  # RFC 959 §4.2.2: may answer any command, the connection closes
            self._settle_all(code, where)
        elif code < 200:
            if code != 120 and self._pending and self._pending[0].begin_code < 0:
                self._pending[0].begin_code = code
                self._pending[0].begin_packet = where.packet
        elif self._pending:
            self._settle(self._pending.pop(0), code, reply, where)
        elif self._attempt is not None and code in (230, 232, 530, 221):
            self._decide("success" if code in (230, 232) else "failed", where.packet)

    def _shown(self, said: bytes) -> str:
        """A reply's text for the table; nothing of one that repeats the secret to the client."""
        return "" if self._given and self._given in said else text(said, SHOWN)[:SHOWN]

    def _settle_all(self, code: int, where: Where) -> None:
        reply = ftp.Reply(code, False, b"")
        waiting, self._pending = self._pending, []
        for pending in waiting:
            self._settle(pending, code, reply, where)

    def _settle(self, pending: _Pending, code: int, reply: ftp.Reply, where: Where) -> None:
        verb = pending.verb
        if verb in ftp.TRANSFERS:
            self._transfer(pending, code, where.packet)
        elif verb in ("USER", "PASS", "ACCT"):
            if self._attempt is None or (code in (331, 332) and verb != "ACCT"):
                return
            # 202: superfluous, the name alone let in (RFC 959 §4.2.2)
            self._decide("success" if code in (202, 230, 232) else "failed", where.packet)
        elif verb == "REIN" and code == 220:
            self._welcomed = False
        elif verb == "AUTH" and code in (234, 334):
            self._protect(code)
        elif verb in ("PORT", "EPRT") and code == 200:
            self._mode = "active"
            parse = ftp.parse_port if verb == "PORT" else ftp.parse_extended
            self._expect(parse(pending.argument), pending.where, "")
        elif verb == "PASV" and code == 227:
            self._mode = "passive"
            self._expect(ftp.parse_pasv(reply.text), where, "")
        elif verb == "EPSV" and code == 229:
            self._mode = "passive"
            self._expect(ftp.parse_extended(reply.text), where, self.flow.ends[self._server].ip)

    def _expect(self, found: tuple[ftp.Endpoint | None, Any], where: Where, host: str) -> None:
        endpoint, anomalies = found
        self.flow.anomalies("ftp", anomalies, where)
        if endpoint is None:
            return
        self.flow.shared.expect(host or endpoint.host, endpoint.port)
        # Behind an address translator the address named is not the one on this wire.
        side = self._server if self._mode == "passive" else 1 - self._server
        self.flow.shared.expect(self.flow.ends[side].ip, endpoint.port)

    def _protect(self, code: int) -> None:
        """RFC 4217 §4: what follows a 234 is TLS; RFC 2228's 334 leads to other protection."""
        from wardwatch.observe.handshakes import Tls

        self.end()
        self.flow.become(Tls(self.flow) if code == 234 else Follower(self.flow))

    def _decide(self, outcome: str, packet: int) -> None:
        if self._attempt is not None:
            add_login(self.flow, self._server, "ftp", self._attempt, outcome, packet)
        self._attempt = None

    def _row(
        self, where: Where, direction: str, verb: str, argument: str, code: int, said: str
    ) -> None:
        far, near = self.flow.ends[self._server], self.flow.ends[1 - self._server]
        row = (near.ip, far.ip, far.port, direction, verb, argument, code, said)
        self.flow.put("ftp", where, row)

    def _transfer(self, pending: _Pending, code: int, packet: int) -> None:
        far, near = self.flow.ends[self._server], self.flow.ends[1 - self._server]
        row = {
            "protocol": "ftp",
            "client": near.ip,
            "server": far.ip,
            "server_mac": far.mac,
            "client_mac": near.mac,
            "command": pending.verb,
            "path": pending.path,
            "mode": self._mode,
            "begin_code": pending.begin_code,
            "begin_packet": pending.begin_packet,
            "end_code": code,
            "end_packet": packet,
            "before_login": not self._welcomed,
            "from_start": self.flow.from_start,
        }
        self.flow.add("transfers", pending.where, row)


def _anonymous(user: str) -> bool:
    """RFC 1635 §2; "ftp" is what servers take for the same."""
    return user.lower() in ("anonymous", "ftp")


MAX_QUIET = 1 << 20
"""Bytes that a telnet server says behind the last login, or before the first: who prints more than
a book is not about to ask for a name. Such a session counts among what was given up."""


_KEYS = b"\0\x08\n\r\x15\x7f"
"""Typed octets that are none of a line: see :meth:`Telnet._client_types`."""


class Telnet(Follower):
    """A telnet session up to its login: prompts of the server, lines typed at them."""

    service = "telnet"
    interest = FOLLOW

    def __init__(self, flow: Flow, server: int) -> None:
        super().__init__(flow)
        self._server = server
        self._rest = [b"", b""]
        self._line = bytearray()  # the server's current line
        self._typed = bytearray()
        self._typed_at = -1  # packet of the newest octet typed
        self._asks = ""  # what the server asked for last: user, password, command
        self._attempt: Attempt | None = None
        self._said = bytearray()  # by the server, behind the password
        self._user = ""
        self._banners = 0
        self._entered_secret = False
        self._quiet = 0  # bytes of the server since somebody last logged in, or tried to

    @property
    def buffered(self) -> int:
        """Bytes kept in memory."""
        first, second = self._rest
        kept = len(self._line) + len(self._typed) + len(self._said)
        return kept + len(first) + len(second)

    def data(self, side: int, chunk: Chunk[Where]) -> None:
        """Read what came in order."""
        words = self._rest[side] + chunk.data
        if 255 in words:
            self.flow.shared.parser_calls += 1
            piece, anomalies = telnet.parse(words)
            self.flow.anomalies("telnet", anomalies, chunk.mark)
            words = piece.text if piece else b""
            self._rest[side] = piece.rest if piece else b""
        if 0 in words:
            words = words.replace(b"\0", b"")  # RFC 854: CR NUL is a bare CR
        if not words:
            return
        if side == self._server:
            self._server_says(words, chunk.mark)
            self._quiet += len(words)
            if self._quiet > MAX_QUIET and self._attempt is None:
                self.interest = IGNORE
                self.flow.shared.given_up += 1
        else:
            self._client_types(words, chunk.mark)

    def quiet(self, side: int, octets: bytes, raw: Raw) -> int | None:
        """Take an echo, the middle of a line, what is typed: a login is octet upon octet of these."""
        if 255 in octets or self._rest[side]:
            return None
        if side != self._server:
            return self._is_typed(octets, raw) if self._asks in ("user", "password") else 0
        size, before = len(octets), len(self._line)
        if (
            0 in octets
            or self._quiet + size > MAX_QUIET
            or (self._attempt is not None and self._decides(octets))
        ):
            return None
        if 10 in octets:
            if self._banners < MAX_BANNERS and not self._entered_secret:
                return None
            line = bytearray(octets[octets.rindex(b"\n") + 1 :][:MAX_LINE])
        else:
            line = self._line
            line += octets[: MAX_LINE - before]
        if telnet.may_ask(line) and telnet.prompt(bytes(line[-160:])):
            del self._line[before:]
            return None
        self._line = line
        self._quiet += size
        more = len(line) - before
        if self._attempt is not None:
            self._said += octets
            more += size
        return more

    def _is_typed(self, octets: bytes, raw: Raw) -> int | None:
        """As :meth:`quiet`, of octets typed at a prompt that end no line and take none back."""
        if octets.translate(None, _KEYS) != octets:
            return None
        taken = octets[: MAX_TYPED - len(self._typed)]
        if taken:
            self._typed += taken
            self._typed_at = packet_of(raw)
        return len(taken)

    def gap(self, side: int, gap: Gap[Where]) -> None:
        """Go on behind bytes that will not come."""
        self._rest[side] = b""
        if side == self._server:
            self._line.clear()
        else:
            self._typed.clear()
        if self._attempt is not None:
            self._decide("unknown", -1)
        self._asks = ""

    def end(self) -> None:
        """Write what is still open."""
        if self._attempt is not None:
            self._decide("unknown", -1)

    def _server_says(self, words: bytes, where: Where) -> None:
        heard = b""
        if self._attempt is not None:
            heard = self._heard(words[:MAX_OUTCOME])
            self._said += words[:MAX_OUTCOME]
        *lines, last = words.split(b"\n") if 10 in words else (words,)
        if lines:
            if self._banners < MAX_BANNERS and not self._entered_secret:
                for line in lines:
                    self._line += line[: MAX_LINE - len(self._line)]
                    self._banner(bytes(self._line), where)
                    self._line.clear()
            self._line.clear()  # behind the banners only the line without an end matters
        self._line += last[: MAX_LINE - len(self._line)]
        asks = telnet.prompt(bytes(self._line[-160:])) if telnet.may_ask(self._line) else ""
        if asks and asks != "command":
            self._banner(bytes(self._line), where)
        if self._attempt is not None:
            self._judge(asks, heard, where)
        if asks:
            self._asks = asks

    def _heard(self, words: bytes) -> bytes:
        """What may tell the outcome with these words of the server: all before them told nothing."""
        return bytes(self._said[-telnet.LONGEST_OUTCOME :]) + words

    def _decides(self, words: bytes) -> bool:
        """Whether these words of the server decide an attempt, be they a question or not."""
        heard = self._heard(words)
        too_much = len(self._said) + len(words) > MAX_OUTCOME
        return too_much or telnet.refused(heard) or telnet.welcomed(heard)

    def _judge(self, asks: str, heard: bytes, where: Where) -> None:
        if telnet.refused(heard) or asks in ("user", "password"):
            self._decide("failed", where.packet)
        elif telnet.welcomed(heard) or asks == "command":
            self._decide("success", where.packet)
            if asks == "command":
                line = bytes(self._line).strip()
                self.flow.banner(self._server, "telnet", text(line, SHOWN)[:SHOWN], where)
        elif len(self._said) > MAX_OUTCOME:
            self._decide("unknown", -1)

    def _client_types(self, words: bytes, where: Where) -> None:
        if self._asks not in ("user", "password"):
            return  # what is typed at a shell is none of our business
        for octet in words:
            if octet in (10, 13):
                if self._typed_at >= 0 or self._asks == "password":
                    self._entered(self._typed_at if self._typed_at >= 0 else where.packet, where)
                self._typed.clear()
                self._typed_at = -1
                if not self._asks:
                    return
            elif octet in (8, 127):  # backspace, delete
                del self._typed[-1:]
            elif octet == 21:  # ^U takes the line back
                self._typed.clear()
            elif len(self._typed) < MAX_TYPED:
                self._typed.append(octet)
                self._typed_at = where.packet

    def _entered(self, last: int, where: Where) -> None:
        typed = bytes(self._typed)
        asked, self._asks = self._asks, ""
        if asked == "user":
            self._user = text(typed.strip(), SHOWN)
            return
        known = self.flow.shared.secrets
        if self._attempt is not None:
            self._decide("unknown", -1)
        self._attempt = Attempt(
            where,
            self._user,
            known.digest(typed),
            last,
            known.known_default(typed, "telnet"),
        )
        self._user = ""
        self._entered_secret = True
        self._said.clear()
        self._line.clear()

    def _decide(self, outcome: str, packet: int) -> None:
        if self._attempt is not None:
            add_login(self.flow, self._server, "telnet", self._attempt, outcome, packet)
        self._attempt = None
        self._quiet = 0
        self._said.clear()

    def _banner(self, line: bytes, where: Where) -> None:
        shown = line.strip(b"\r\n\0 ")
        if (
            shown and self._banners < MAX_BANNERS and not self._entered_secret
        ):  # what follows is for the user
            self._banners += 1
            self.flow.banner(self._server, "telnet", text(shown, SHOWN)[:SHOWN], where)
