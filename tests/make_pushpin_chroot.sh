#!/bin/sh
# Makes a directory with a small Debian in it that has a newer Pushpin than this machine: `make pushpin-1.41`.
# The end-to-end tests run it by chroot (tests/e2e/pushpin_chroot.py), so that nothing of this machine changes.
set -eu

directory=$1

fail() {
    echo "$1" >&2
    exit 1
}

command -v debootstrap >/dev/null || [ -x /usr/sbin/debootstrap ] ||
    fail "This needs debootstrap, which is not installed here: on Debian and Ubuntu, apt-get install debootstrap."
[ "$(id -u)" = 0 ] || fail "This needs root, as the directory becomes the root of a Debian: sudo make pushpin-1.41."
if [ -x "$directory/usr/bin/pushpin" ]; then
    echo "$directory has $(chroot "$directory" pushpin --version) already; remove it to get a newer one."
    exit 0
fi

# Where this machine itself gets Debian from; Debian's own address, where that is no Debian.
mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $2 !~ /security/ { print $2; exit }')

# Half a root is none: it gets its name when it is whole.
part=$directory.part
rm -rf "$part"
mkdir -p "$part"
PATH=$PATH:/usr/sbin:/sbin debootstrap --variant=minbase --include=pushpin sid "$part" \
    "${mirror:-http://deb.debian.org/debian}" >"$part.log" 2>&1 ||
    fail "debootstrap failed; the end of $part.log: $(tail -n 3 "$part.log")"
rm -f "$part.log"
mv "$part" "$directory"
echo "$directory has $(chroot "$directory" pushpin --version); the end-to-end tests run it from now on."
