#!/usr/bin/env bash
# Makes .venv and fills it from the lock file (hashes checked); installs what is needed from
# Debian's packages where it may, and says what to install where it may not.
#   tools/setup.sh runtime|dev [PYTHON [SYSTEM]]
# Without PYTHON .venv is made of the system's own, where it suits and can make one, and else of
# the python3 on the PATH; with it .venv is of that one, made anew where it is of another
# (decision 0043).
set -euo pipefail
what=$1 python=${2:-}
cd "$(dirname "$0")/.."

suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; }
installed() { # installed PACKAGE...: whether they could be had from Debian
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "installing $* …" >&2
    [ -n "${updated:-}" ] || { updated=1; apt-get update -qq || true; }  # what is listed may do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
debian() { # debian COMMAND PACKAGE...: installs PACKAGE where COMMAND is missing
    local command=$1
    shift
    command -v "$command" >/dev/null || installed "$@" && return 0
    echo "missing: $command. Install it with: sudo apt-get install $*" >&2
    return 1
}
package_of() { "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'; }
makes_venv() { "$1" -c 'import venv, ensurepip' 2>/dev/null || installed "$(package_of "$1")"; }

build() { "$1" -c 'import sys; print(sys.version)'; }  # told by release, compiler and date

system=${3:-/usr/bin/python3}
if [ -n "$python" ]; then
    :
elif [ -x .venv/bin/python ]; then
    python=.venv/bin/python
elif suits "$system" && makes_venv "$system"; then
    python=$system
else
    python=python3
fi
suits "$python" || {
    echo "wardwatch needs Python 3.11 to 3.14; $python is none of these. Try: make PYTHON=python3.11 $what" >&2
    exit 1
}
if [ ! -x .venv/bin/python ] || [ "$(build "$python")" != "$(build .venv/bin/python)" ]; then
    makes_venv "$python" || {
        echo "missing: venv of $python. Install it with: sudo apt-get install $(package_of "$python")" >&2
        exit 1
    }
    [ ! -x .venv/bin/python ] || echo ".venv is of $(.venv/bin/python -V): it is made anew" >&2
    echo "making .venv of $("$python" -V) ($python) …" >&2
    rm -rf .venv
    "$python" -m venv .venv
fi

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
