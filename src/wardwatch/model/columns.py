"""The registry of every table and column we keep: name, type, unit, meaning, source.

Schemas, documentation and checks are made from this one place. Words are the standards' own;
where a table mirrors a Zeek log its columns bear Zeek's names (``orig_h``, ``conn_state``).

Types: ``i64 i32 f64 bool str`` and ``[i64] [str]`` (lists). "None" is spelled ``-1`` for
numbers, ``""`` for text, ``[]`` for lists, so that no table holds nulls. Instants (``ts`` and
whatever ends in ``_ts``) are ``i64`` nanoseconds since 1970-01-01 UTC: in DuckDB
``make_timestamp_ns(ts)`` shows them.
"""

from __future__ import annotations

import msgspec


class Column(msgspec.Struct, frozen=True):
    """One column: its name, type, meaning, unit and the clause it comes from."""

    name: str
    type: str
    meaning: str
    unit: str = ""
    source: str = ""


class Table(msgspec.Struct, frozen=True):
    """One evidence table: a caption and its columns, in order."""

    name: str
    caption: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


def _columns(text: str, source: str = "") -> tuple[Column, ...]:
    """Columns from lines ``name type [unit] meaning | source``."""
    found = []
    for line in text.strip().splitlines():
        head, _, own = line.partition("|")
        name, kind, rest = head.strip().split(None, 2)
        unit = ""
        if rest.startswith("("):
            unit, _, rest = rest[1:].partition(")")
        found.append(Column(name, kind, rest.strip(), unit.strip(), own.strip() or source))
    return tuple(found)


_WHERE = _columns("""
capture i32 number of the capture, row of table captures
packet i64 1-based number of the packet in that capture
ts i64 (ns UTC) when the packet was captured
segment str broadcast domain as seen here: "vlan 120", "untagged", "vxlan 5 vlan 9", of two tags both: "vlan 1 vlan 120", "s-vlan 9 vlan 120" with a service tag outside; "@name" behind it for interfaces of a capture after the first that carries wired frames; "wlan" for frames caught on the air
""")
_MACS = _columns("""
src_mac str MAC the (innermost) frame came from; "" where the link has none
dst_mac str MAC the (innermost) frame went to
""")
_ENDS = _columns("""
src str IP address the packet came from
src_port i32 port it came from; -1 without ports
dst str IP address it went to
dst_port i32 port it went to
""")
_FLOW = _columns("conversation i64 row of table conversations it belongs to; -1 none")
_PEERS = _columns(
    """
orig_h str address of the originator: who sent the first packet, or the SYN
orig_p i32 its port; for ICMP the type
resp_h str address of the responder
resp_p i32 its port; for ICMP the code
""",
    "Zeek conn.log id",
)
_SPAN = _columns("""
first_ts i64 (ns UTC) first packet it rests on
last_ts i64 (ns UTC) last packet it rests on
first_packet i64 number of the first packet it rests on
last_packet i64 number of the last packet it rests on
packets i64 how many packets it rests on
""")

TABLES: tuple[Table, ...] = (
    Table(
        "captures",
        "One row a file: what was read, and whether it was whole.",
        _columns("""
capture i32 number of the capture, 1-based in the order given; evidence cites it
name str file name as given, without folders
sha256 str SHA-256 of the file as stored, hex
stored_bytes i64 (bytes) size of the file as stored
format str pcap, pcap-ns, pcap-modified or pcapng
compression str none, gzip, zstd or xz
byte_order str little, big or mixed
packets i64 packets in the file
decoded i64 packets read through their transport header
skipped i64 packets passed over with a reason (table accounting)
malformed i64 packets whose headers through transport cannot be read
captured_bytes i64 (bytes) sum of captured lengths
wire_bytes i64 (bytes) sum of lengths on the wire
first_ts i64 (ns UTC) earliest packet
last_ts i64 (ns UTC) latest packet
cut_packets i64 packets captured shorter than they were on the wire
clock_jumps i64 times the clock went back by more than a second or forward by more than an hour
damage [str] where the file stops making sense: "byte N: problem"; empty for a whole file
comments [str] comments in the file (text from outside)
evicted i64 conversations and streams given up early because a bound was reached
"""),
    ),
    Table(
        "interfaces",
        "One row an interface of a capture file.",
        _columns(
            """
capture i32 number of the capture
interface i32 0-based, counted over all sections
name str if_name (text from outside)
description str if_description (text from outside)
link i32 LINKTYPE_ number
snaplen i64 (bytes) kept of a packet at most; 0 no limit stated
filter str capture filter in force, where the file tells
resolution i64 (ticks/s) of the time stamps
received i64 isb_ifrecv; -1 not told
dropped i64 isb_ifdrop; -1 not told
os_dropped i64 isb_osdrop; -1 not told
packets i64 packets of this interface in the file
""",
            "draft-ietf-opsawg-pcapng §4.2, §4.6",
        ),
    ),
    Table(
        "accounting",
        "Every packet once: decoded, skipped with a reason, or malformed.",
        _columns("""
capture i32 number of the capture
outcome str decoded, skipped or malformed
reason str what was decoded (ipv4 tcp, arp, 802.11 beacon …), why skipped, or what is malformed
packets i64 packets
first_packet i64 number of the first
"""),
    ),
    Table(
        "encapsulations",
        "Tags, labels, tunnels and fragments, counted.",
        _columns("""
capture i32 number of the capture
kind str vlan, mpls, vxlan, geneve, gre, erspan, capwap, pppoe, trustsec, macsec, ipv4_fragment, ipv6_fragment
value i64 VID, label, VNI, protocol type, session …; -1 where the kind has none
packets i64 occurrences (a frame with two tags counts for both)
first_packet i64 number of the first
"""),
    ),
    Table(
        "segments",
        "The vantage: what this capture could have shown of each segment.",
        _columns("""
capture i32 number of the capture
segment str the segment
interface i32 interface it was seen on (the first)
vlan i32 innermost VID; -1 untagged
tunnel str tunnel it came through; "" none
packets i64 packets
first_ts i64 (ns UTC) first packet
last_ts i64 (ns UTC) last packet
longest_gap_s f64 (s) longest stretch without any packet of this segment
broadcasts i64 frames to ff:ff:ff:ff:ff:ff
broadcast_sources i64 different MACs that sent one
multicasts i64 frames to other group addresses
stations i64 different source MACs
tcp_both i64 TCP conversations seen in both directions
tcp_one_way i64 TCP conversations of which only one direction was seen though data or an ACK shows there was another
unicast_pairs i64 different unicast MAC pairs
dhcp_client_messages i64 messages of DHCP clients to the broadcast address
dhcp_server_messages i64 messages of DHCP servers
dhcp_relayed i64 DHCP messages with giaddr set between relay and server
cut_packets i64 packets cut by a snap length
offloaded i64 frames longer than the link can carry: merged by the network card
mirror_duplicates i64 frames seen twice, byte for byte, within a millisecond
routed_duplicates i64 packets seen again with a lower TTL and other MACs
tcp_gaps i64 holes in TCP streams
"""),
    ),
    Table(
        "conversations",
        "One row a conversation, both directions; Zeek's conn.log words.",
        _columns("""
conversation i64 number of the conversation, unique in this run; even of TCP, odd of others
capture i32 capture of its first packet
segment str segment of its first packet
first_ts i64 (ns UTC) first packet
last_ts i64 (ns UTC) last packet
first_packet i64 number of its first packet
last_packet i64 number of its last packet
last_capture i32 capture of its last packet
proto str tcp, udp, icmp, icmp6, sctp or the number
""")
        + _PEERS
        + _columns(
            """
orig_l2_addr str MAC of the originator's frames (the first)
resp_l2_addr str MAC of the responder's frames (the first)
""",
            "Zeek conn.log",
        )
        + _columns("""
silent_l2_addr str MAC that the first packet to the end that never spoke was for (its own, or its router's); "" both spoke, or a group
""")
        + _columns(
            """
vlan i32 innermost VID; -1 untagged
service str protocol found by content, comma between several; "" unknown
orig_bytes i64 (bytes) payload from the originator
resp_bytes i64 (bytes) payload from the responder
orig_pkts i64 packets from the originator
resp_pkts i64 packets from the responder
orig_ip_bytes i64 (bytes) IP bytes from the originator, by the headers
resp_ip_bytes i64 (bytes) IP bytes from the responder
conn_state str Zeek's state: S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH; "" not TCP
history str Zeek's letters: upper case the originator, lower the responder
missed_bytes i64 (bytes) missing in the stream
overlaps i64 segments that said different bytes for the same place
retransmissions i64 segments that came again
reordered i64 segments that came late
""",
            "Zeek conn.log",
        ),
    ),
    Table(
        "bindings",
        "Which MAC used which address, where and when.",
        _columns("""
capture i32 number of the capture
segment str the segment
mac str MAC address
ip str IP address
source str how it was seen: arp, ip (source of a packet), dhcp (yiaddr acknowledged), nd
""")
        + _SPAN,
    ),
    Table(
        "presence",
        "When each station spoke: one row a spell of activity.",
        _columns("""
capture i32 number of the capture
segment str the segment
mac str the station
""")
        + _SPAN
        + _columns("""
received i64 unicast packets to it in the spell
"""),
    ),
    Table(
        "arp",
        "One row an ARP message.",
        _WHERE
        + _MACS
        + _columns(
            """
op i32 1 request, 2 reply; 3 and 4 the same of RARP | RFC 826, RFC 903
sender_mac str ar$sha
sender_ip str ar$spa
target_mac str ar$tha
target_ip str ar$tpa
""",
            "RFC 826",
        ),
    ),
    Table(
        "dhcp",
        "One row a DHCPv4 or BOOTP message: every OFFER, ACK and NAK of every server.",
        _WHERE
        + _MACS
        + _ENDS
        + _columns(
            """
op i32 1 BOOTREQUEST, 2 BOOTREPLY
msg_type str DISCOVER OFFER REQUEST DECLINE ACK NAK RELEASE INFORM …; "" BOOTP without option 53
hops i32 relays it passed
xid i64 transaction
secs i32 (s) since the client began
flags i32 bit 15 broadcast
ciaddr str client's own address
yiaddr str your address
siaddr str next server
giaddr str relay
chaddr str client hardware address
sname str server host name field; "" where overloaded
file str boot file name field; "" where overloaded
server_id str option 54
requested_addr str option 50
lease_time i64 (s) option 51; -1 none
renewal_time i64 (s) option 58 (T1); -1 none
subnet_mask str option 1
routers [str] option 3
dns_servers [str] option 6
static_routes [str] options 33, 121, 249 as "destination via router"
domain_name str option 15
host_name str option 12 (text from outside)
client_fqdn str option 81 name
vendor_class str option 60
client_id str option 61, hex
parameter_list [i64] option 55, in order
options [i64] option codes in order as sent, pads (0) included, end (255) not
overload i32 option 52; -1 none
tftp_server str option 66 as text
bootfile str option 67 as text
opt66_len i32 (bytes) longest single option 66, wherever it stands; -1 none
opt67_len i32 (bytes) longest single option 67; -1 none
opt66_sum i32 (bytes) option 66 concatenated as RFC 3396 says; -1 none
opt67_sum i32 (bytes) option 67 concatenated; -1 none
overrun_option i32 code of the option whose length runs past the end of its field; -1 none
overrun_claimed i32 (bytes) that option claimed
overrun_present i32 (bytes) were there
server_override bool RFC 5107 server identifier override present
relay_agent str option 82, hex
circuit_id str option 82 sub-option 1 as text or hex
remote_id str option 82 sub-option 2 as text or hex
mqx_pads bool pads between options where the MQX RTCS client puts them | domain/devices.md §2
whole bool the whole UDP payload was captured (no snap length or lost fragment cut it)
""",
            "RFC 2131, RFC 2132",
        ),
    ),
    Table(
        "dhcpv6",
        "One row a DHCPv6 message.",
        _WHERE
        + _MACS
        + _ENDS
        + _columns(
            """
msg_type i32 1 SOLICIT 2 ADVERTISE 3 REQUEST 4 CONFIRM 5 RENEW 6 REBIND 7 REPLY 8 RELEASE 9 DECLINE 10 RECONFIGURE 11 INFORMATION-REQUEST 12 RELAY-FORW 13 RELAY-REPL
trans_id i64 transaction
client_duid str option 1, hex
server_duid str option 2, hex
addresses [str] addresses given (option 5)
dns_servers [str] option 23
fqdn str option 39 name
relayed bool came inside a relay message
""",
            "RFC 8415",
        ),
    ),
    Table(
        "dns",
        "One row a DNS, mDNS or LLMNR message.",
        _WHERE
        + _MACS
        + _ENDS
        + _FLOW
        + _columns(
            """
proto str udp or tcp
kind str dns, mdns or llmnr
trans_id i32 16 bit identifier
is_response bool QR
opcode i32 0 query …
AA bool authoritative
TC bool truncated
RD bool recursion desired
RA bool recursion available
rcode i32 0 NOERROR, 3 NXDOMAIN …
qdcount i32 questions claimed
ancount i32 answers claimed
nscount i32 authorities claimed
arcount i32 additional records claimed
query str first question's name, lower case, no trailing dot; odd bytes as \\DDD
qtype i32 first question's type; -1 none
qclass i32 first question's class; -1 none
questions [str] names of all questions, where there are several; [] for one, which is query
answers [str] answers: addresses, names; other types as "TYPEn"
answer_types [i64] their types
TTLs [i64] (s) their times to live
edns_size i32 (bytes) EDNS UDP payload size; -1 none
payload_len i32 (bytes) of the message as claimed by UDP or the TCP length
ip_ttl i32 IP time to live of the packet
impossible_counts bool (AN+NS+AR)·11 exceeds the bytes behind the questions | CVE-2017-12722, RFC 9267
overrun bool a name or RDLENGTH runs past the end | CVE-2017-12722, RFC 9267
pointer_loop bool compression pointers that loop or never end | RFC 9267
whole bool the whole message was captured and reassembled
""",
            "RFC 1035",
        ),
    ),
    Table(
        "router_adverts",
        "IPv6 router advertisements and redirects, IPv4 redirects.",
        _WHERE
        + _MACS
        + _columns(
            """
kind str ra, redirect or icmp_redirect
src str address it came from
dst str address it went to
hop_limit i32 of the IP header: 255 or it is forged from afar
lifetime_s i64 (s) router lifetime; -1 not a router advertisement
lladdr str source (or target) link-layer address option
managed bool M flag
other bool O flag
prefixes [str] prefix options
rdnss [str] recursive DNS servers | RFC 8106
dnssl [str] search list | RFC 8106
routes [str] route information options | RFC 4191
target str better first hop of a redirect
destination str destination of a redirect
extension_headers bool extension headers stood before it
""",
            "RFC 4861, RFC 792",
        ),
    ),
    Table(
        "unreachables",
        "ICMP and ICMPv6 'destination unreachable', with what they quote.",
        _WHERE
        + _MACS
        + _columns(
            """
src str who says so
dst str who is told
code i32 ICMP code (9, 10, 13: administratively prohibited); ICMPv6 codes as sent
ipv6 bool ICMPv6
quoted_src str source of the quoted packet
quoted_src_port i32 its port; -1 none
quoted_dst str destination of the quoted packet
quoted_dst_port i32 its port; -1 none
quoted_proto str tcp, udp …
""",
            "RFC 792, RFC 1812, RFC 4443",
        ),
    ),
    Table(
        "redundancy",
        "HSRP, VRRP and GLBP speakers, one row a speaker and group.",
        _columns(
            """
capture i32 number of the capture
segment str the segment
protocol str hsrp, hsrp2, vrrp2, vrrp3 or glbp
group i32 group or VRID
state str hsrp state; "" VRRP
priority i32 as sent
virtual_ips [str] addresses served
src_mac str speaker's MAC
src str speaker's address
""",
            "RFC 2281, RFC 9568",
        )
        + _SPAN,
    ),
    Table(
        "logins",
        "One row an attempt to log in: FTP, telnet, HTTP basic-auth.",
        _WHERE
        + _FLOW
        + _columns("""
protocol str ftp, telnet or http
client str who tried
server str at whom
server_port i32 port
server_mac str MAC of the server's frames
client_mac str MAC of the client's frames
user str name given (text from outside); "" none
secret str keyed BLAKE2b-256 of the secret's bytes, hex; "" none seen. Never shown: reports say "same secret as packet N"
secret_packet i64 packet that carried the end of the secret; -1 none
known_default str name of the published default the secret equals; "" none
outcome str success, failed or unknown
outcome_packet i64 packet that decided it; -1 unknown
anonymous bool an anonymous FTP login
from_start bool the conversation was seen from its SYN without gaps up to here
"""),
    ),
    Table(
        "ftp",
        "One row an FTP command or reply, secrets left out.",
        _WHERE
        + _FLOW
        + _columns(
            """
client str client address
server str server address
server_port i32 port
direction str command or reply
command str verb, upper case; "" for replies
argument str argument; "" for PASS and ACCT and after AUTH
code i32 reply code; -1 for commands
text str reply text, at most 200 characters
""",
            "RFC 959",
        ),
    ),
    Table(
        "transfers",
        "One row a file or listing asked for: FTP and TFTP.",
        _WHERE
        + _FLOW
        + _columns(
            """
protocol str ftp or tftp
client str who asked
server str who was asked
server_mac str MAC of the server's frames
client_mac str MAC of the client's frames
command str RETR STOR LIST NLST APPE STOU MLSD; RRQ WRQ
path str file asked for (text from outside)
mode str active, passive or ""
begin_code i32 first reply (125, 150); -1 none
begin_packet i64 packet of it; -1 none
end_code i32 final reply (226, 250, 4xx, 5xx); -1 none
end_packet i64 packet of it; -1 none
before_login bool no 230 or 232 came before it
from_start bool the control stream was seen from its SYN without gaps up to here, and no AUTH succeeded
""",
            "RFC 959, RFC 1350",
        ),
    ),
    Table(
        "tls",
        "One row a TLS or SSL handshake.",
        _WHERE
        + _FLOW
        + _columns(
            """
client str client address
client_port i32 client port
server str server address
server_port i32 server port
client_mac str MAC of the client's frames
server_mac str MAC of the server's frames
client_version i32 highest version the hello offers (0x0301 …; 0x0002 SSL 2); -1 none seen
version i32 version the server chose; -1 none seen
cipher i32 suite the server chose; -1 none seen
server_name str SNI (text from outside)
ciphers [i64] suites offered, GREASE kept
extensions [i64] extension types offered
hello_length i32 (bytes) of the ClientHello's handshake body; -1 none
export_offered bool an EXPORT suite is offered
ja3 str MD5 of the JA3 string; "" without a ClientHello
ja4 str JA4 client fingerprint
alpn str first ALPN protocol offered
client_hello_packet i64 packet of the ClientHello's end; -1 none
server_hello_packet i64 packet of the ServerHello's end; -1 none
certificate_packet i64 packet where the server's chain ends; -1 none
certificates i32 certificates in the server's chain seen; 0 none (TLS 1.3 hides them)
resumed bool an abbreviated handshake: no certificate was sent
client_alerts [i64] alerts of the client: level·256+description, only those in clear
server_alerts [i64] alerts of the server
client_alert_packet i64 packet of the client's first alert; -1 none
client_data_packet i64 first application data of the client; -1 none
server_data_packet i64 first application data of the server; -1 none
client_closed bool the client ended the connection (FIN or RST) before it sent application data, and before the server did
from_start bool seen from the SYN without gaps up to the chain
""",
            "RFC 5246, RFC 8446, RFC 6101",
        ),
    ),
    Table(
        "certificates",
        "One row a certificate sent in clear (TLS up to 1.2).",
        _WHERE
        + _FLOW
        + _columns(
            """
server str the server of the handshake, which sent it or to which it was sent
server_port i32 port
client_cert bool sent by the client, to show who it is
position i32 0 the leaf
sha256 str SHA-256 of the certificate, hex
key_sha256 str SHA-256 of its SubjectPublicKeyInfo, hex
subject str subject, RFC 4514 text
issuer str issuer, RFC 4514 text
serial str serial number, hex
not_before_ts i64 (ns UTC) valid from
not_after_ts i64 (ns UTC) valid until
names [str] subjectAltName DNS names and addresses
common_name str CN of the subject
key_type str rsa, ec, ed25519, dsa …
key_bits i32 (bits) size of the key; -1 unknown
signature_algorithm str OID's name
self_issued bool subject equals issuer
self_signed bool its own key verifies its signature
chained bool the next certificate in the chain verifies its signature
der str the certificate itself, base64; "" past the bound
""",
            "RFC 5280",
        ),
    ),
    Table(
        "http",
        "One row an HTTP/1 request or response head; only device fields are kept.",
        _WHERE
        + _FLOW
        + _columns(
            """
client str client address
server str server address
server_port i32 port
server_mac str MAC of the server's frames
direction str request or response
method str request method
host str Host field
version str HTTP/1.0 or HTTP/1.1
status i32 status code; -1 for requests
user_agent str User-Agent field
server_header str Server field
content_type str media type
content_length i64 (bytes) claimed; -1 none
auth_scheme str scheme of Authorization or WWW-Authenticate
soap_action str SOAPAction field
""",
            "RFC 9110, RFC 9112; domain/measures.md: patient data never enters a table",
        ),
    ),
    Table(
        "banners",
        "First words of a server: FTP, telnet, SSH, SMTP, HTTP Server, others.",
        _WHERE
        + _FLOW
        + _columns("""
server str who spoke
server_port i32 port
server_mac str MAC of its frames
protocol str protocol by content; "" unknown
text str first line or prompt, printable, at most 200 characters (text from outside)
"""),
    ),
    Table(
        "device_messages",
        "Messages of the Medfusion class: status lines, SOAP, configuration.",
        _WHERE
        + _FLOW
        + _columns(
            """
src str who sent it
src_mac str MAC of its frames
dst str to whom
dst_port i32 port
kind str status_line, soap or configuration
root str root or body element's local name
serial str serial number, where it stands there
model str model, where it stands there
firmware str version, where it stands there
has_secret bool a password or key element with content stood there (the content is not kept)
at_stream_start bool it stood at the start of the stream
""",
            "domain/devices.md §1",
        ),
    ),
    Table(
        "hl7",
        "One row an HL7 v2 message; device fields only.",
        _WHERE
        + _FLOW
        + _columns(
            """
src str sender
src_mac str MAC of its frames
dst str receiver
dst_port i32 port
message_type str MSH-9, first two or three components with ^
sending_application str MSH-3
sending_facility str MSH-4 first component
receiving_application str MSH-5
version str MSH-12
profile str MSH-21 first component
device_id str OBX-18 of the first observation that has one (EUI-64 or name)
device_type str OBX-3 of the first MDS-level observation
mllp bool framed by MLLP
""",
            "HL7 v2.5 §2, IHE PCD TF-2",
        ),
    ),
    Table(
        "dicom",
        "DICOM upper layer: PDUs of each association, counted by type.",
        _WHERE
        + _FLOW
        + _columns(
            """
client str requestor's address
server str acceptor's address
server_port i32 port
pdu_type i32 1 A-ASSOCIATE-RQ 2 -AC 3 -RJ 4 P-DATA-TF 5 A-RELEASE-RQ 6 -RP 7 A-ABORT
pdus i64 PDUs of this type
calling str calling AE title
called str called AE title
implementation str implementation version name
implementation_class str implementation class UID
""",
            "DICOM PS3.8 §9",
        ),
    ),
    Table(
        "wifi",
        "802.11 frames by kind, station and network, counted.",
        _columns(
            """
capture i32 number of the capture
subtype i32 type·16 + subtype: 0 association request, 4 probe request, 5 probe response, 8 beacon, 11 authentication, 32 data …
transmitter str TA
receiver str RA
bssid str BSSID; "" none
ssid str SSID as text, odd bytes escaped; "" wildcard or none
ssid_hidden bool an SSID element of zeros or length 0 in a beacon
channel i32 from the radio header or DS parameter; -1 unknown
protected bool protected frame bit, or privacy capability of a beacon
akm [i64] RSN AKM suite types offered
xid_broadcast bool an LLC XID to broadcast
""",
            "IEEE 802.11-2020 §9",
        )
        + _SPAN,
    ),
    Table(
        "neighbors",
        "Names that LLDP and CDP give.",
        _columns(
            """
capture i32 number of the capture
segment str the segment
protocol str lldp or cdp
src_mac str MAC of the sender
system_name str system name or device id (text from outside)
port_id str port (text from outside)
platform str platform or system description
native_vlan i32 native VLAN or PVID; -1 none
management str management address
""",
            "IEEE 802.1AB, CDP",
        )
        + _SPAN,
    ),
    Table(
        "control",
        "Other link control: STP, DTP, VTP, LACP, EAPOL speakers.",
        _columns("""
capture i32 number of the capture
segment str the segment
protocol str stp, dtp, vtp, pagp, lacp, eapol, xid
src_mac str MAC of the sender
dst_mac str MAC it was sent to
""")
        + _SPAN,
    ),
    Table(
        "snmp",
        "SNMP speakers: version, community or user, never the community itself.",
        _columns(
            """
capture i32 number of the capture
segment str the segment
src str sender
dst str receiver
dst_port i32 port
version i32 0 v1, 1 v2c, 3 v3
pdu i32 PDU tag: 0xa0 get … 0xa8; -1 hidden
secret str keyed BLAKE2b-256 of the community's bytes, hex; "" none
known_default str name of the published default it equals; "" none
user str msgUserName of v3
""",
            "RFC 1157, RFC 3412",
        )
        + _SPAN,
    ),
    Table(
        "anomalies",
        "Messages that break their standard, named.",
        _WHERE
        + _FLOW
        + _columns("""
protocol str protocol of the message
fault str stable name of the fault
clause str the clause it breaks
claimed i64 what was claimed
present i64 what was there
src str address it came from
dst str address it went to
src_mac str MAC it came from
start i64 (bytes) first byte of the fault in its payload
stop i64 (bytes) behind its last byte
"""),
    ),
)

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}
"""Every table by its name."""

PYTHON_TYPE: dict[str, type] = {
    "i64": int,
    "i32": int,
    "f64": float,
    "bool": bool,
    "str": str,
    "[i64]": list,
    "[str]": list,
}
"""What a row holds for each column type."""

EMPTY: dict[str, object] = {
    "i64": -1,
    "i32": -1,
    "f64": 0.0,
    "bool": False,
    "str": "",
    "[i64]": (),
    "[str]": (),
}
"""How "none" is spelled for each column type."""
