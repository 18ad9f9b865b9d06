#!/usr/bin/env bash
# Makes .venv and fills it from the lock file (hashes checked); installs what is needed from
# Debian's packages where it may, and says what to install where it may not.
#   tools/setup.sh runtime|dev PYTHON
set -euo pipefail
what=$1 python=$2
cd "$(dirname "$0")/.."

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || {
    echo "wardwatch needs Python 3.11 to 3.14; $python is another. Try: make PYTHON=python3.11 $what" >&2
    exit 1
}

debian() { # debian COMMAND PACKAGE...: installs PACKAGE where COMMAND is missing
    local command=$1
    shift
    command -v "$command" >/dev/null && return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $* …" >&2
        [ -n "${updated:-}" ] || { apt-get update -qq && updated=1; }
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null && return 0
    fi
    echo "missing: $command. Install it with: sudo apt-get install $*" >&2
    return 1
}

if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    debian no-such-command-venv "python${minor}-venv" || exit 1
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv

pip() { .venv/bin/python -m pip --disable-pip-version-check -q "$@"; }
if [ "$what" = runtime ]; then
    echo "setting up wardwatch in .venv …" >&2
    pip install --require-hashes -r requirements.lock
    pip install --require-hashes -r requirements-build.lock
    pip install --no-deps --no-build-isolation -e .
    touch .venv/.runtime
else
    echo "setting up what tests and checks need …" >&2
    pip install --require-hashes -r requirements-dev.lock
    # Tests that need one of these say so and are skipped where it could not be had.
    debian tshark tshark || true
    debian chromium chromium || true
    debian ip iproute2 || true
    debian vsftpd vsftpd || true
    debian openssl openssl || true
    debian node nodejs || true
    debian npm npm || true
    # A live ward of the twin, and the clients that are tried on it. (Debian's DHCP server starts
    # no service before somebody has configured one.)
    debian nft nftables || true
    debian dnsmasq dnsmasq-base || true
    debian dhcpd isc-dhcp-server || true
    debian nmap nmap || true
    debian ftp tnftp || true
    debian telnet inetutils-telnet || true
    debian curl curl || true
    touch .venv/.dev
fi
