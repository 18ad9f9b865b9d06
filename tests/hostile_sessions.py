"""Parsers of TCP protocols for the hostile runs: each with honest messages to start from."""

from tests import session_messages as said

from wardwatch.decode.wire import (
    banner,
    dicom,
    ftp,
    hl7,
    http,
    medfusion,
    telnet,
    tls,
    x509,
)

_EXTENSIONS = (
    said.sni(b"pump-server.ward")
    + said.groups(29, 23)
    + said.point_formats(0)
    + said.signature_algorithms(0x0403, 0x0804)
    + said.alpn(b"h2", b"http/1.1")
    + said.supported_versions(0x0304, 0x0303)
)
_HELLO = said.client_hello((0x1301, 0xC02F, 0x0003), _EXTENSIONS)

PARSERS = {
    "ftp command": (
        ftp.parse_command,
        [b"USER anonymous", b"PASS filler", b"RETR CONFIG.XML", b"PORT 10,0,0,1,4,1", b"noop"],
    ),
    "ftp reply": (ftp.parse_reply, [b"220 RTCS FTP Ready", b"230-Welcome", b"226 File sent OK"]),
    "ftp port": (ftp.parse_port, [b"10,0,0,1,4,1"]),
    "ftp pasv": (ftp.parse_pasv, [b"Entering Passive Mode (10,0,0,1,4,1)."]),
    "ftp extended": (ftp.parse_extended, [b"|2|fe80::1|2121|", b"Entering (|||2121|)"]),
    "telnet": (
        telnet.parse,
        [b"\xff\xfb\x01\xff\xfa\x25\x02\x0f\x00\x04\xff\xf0login: ", b"a\xff\xff\xff\xfd\x18b"],
    ),
    "tls": (
        tls.parse,
        [said.record(22, said.handshake(1, _HELLO)), said.ssl2_client_hello()],
    ),
    "tls client hello": (tls.parse_client_hello, [_HELLO, said.client_hello(extensions=None)]),
    "tls server hello": (
        tls.parse_server_hello,
        [said.server_hello(), said.server_hello(0x1301, extensions=said.extension(43, b"\3\4"))],
    ),
    "tls certificates": (tls.parse_certificates, [said.certificates(b"D" * 300, b"E" * 200)]),
    "ssl2 client hello": (tls.parse_ssl2_client_hello, [said.ssl2_client_hello()]),
    "ssl2 server hello": (tls.parse_ssl2_server_hello, [said.ssl2_server_hello(b"D" * 99)]),
    "x509": (x509.parse, list(said.chain())),
    "http": (http.parse, [said.HTTP_REQUEST, said.HTTP_RESPONSE, b"GET /\r\n"]),
    "http basic": (http.parse_basic, [b"dXNlcjpwYTpzcw=="]),
    "http chunk size": (http.parse_chunk_size, [b"1a2B", b"0;x=y"]),
    "hl7": (hl7.parse, [said.HL7_MESSAGE]),
    "dicom": (dicom.parse, [said.associate(), said.pdu(5, bytes(4)), said.pdu(4, bytes(20))]),
    "medfusion": (medfusion.parse, [said.STATUS_LINE, said.CONFIGURATION, said.SOAP]),
    "banner": (banner.parse, [b"SSH-2.0-dropbear\r\n", b"220 mail ESMTP\r\n", b"+OK ready\r\n"]),
}
