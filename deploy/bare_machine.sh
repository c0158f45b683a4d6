#!/bin/sh
# The two commands of the README's start on a machine that has nothing else: bare_machine.sh SUITE FOLDER [ARGS...]
# SUITE is a release of Debian (bookworm, trixie). Its smallest system, with python3, python3-venv and make, is laid in
# FOLDER by debootstrap, as root; there `make run` has to take an order, then `make test` has to pass, with ARGS for it.
# Packages come from where this machine's apt and pip get theirs.
set -eu
umask 022
suite=$1 folder=${2%/}
shift 2

say() { echo "bare machine, $suite: $*" >&2; }

[ "$(id -u)" = 0 ] || { say "needs root, for debootstrap and chroot"; exit 1; }
# What lies in it is run as root, and removed.
mkdir -p "$folder"
[ -O "$folder" ] && ! [ -L "$folder" ] && [ -z "$(find "$folder" -prune -perm /022)" ] || {
    say "$folder is a link, another user's, or open to others: name a folder of root's own"
    exit 1
}
for command in debootstrap unshare ip python3 git; do
    command -v $command >/dev/null || { say "needs $command: apt-get install debootstrap util-linux iproute2 python3 git"; exit 1; }
done

root=$folder/$suite
if ! [ -e "$root/.laid" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
    say "laying Debian in $root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include=python3,python3-venv,make "$suite" "$root" "$mirror" >"$folder/$suite.log" \
        || { tail -n 5 "$folder/$suite.log" >&2; exit 1; }
    touch "$root/.laid"
fi

# The sources as they are here, and nothing that was made from them.
rm -rf "$root/bourse"
mkdir "$root/bourse"
git ls-files -z --cached --others --exclude-standard >"$folder/$suite.sources"
tar --create --null --files-from "$folder/$suite.sources" --ignore-failed-read --file "$folder/$suite.tar"
tar --extract --file "$folder/$suite.tar" --directory "$root/bourse"
[ -f "$root/bourse/Makefile" ] || { say "run it in the repository's root: no sources came from $PWD"; exit 1; }
cp /etc/resolv.conf /etc/hosts "$root/etc/"

# pip's settings, and what of this machine they name; the files of an index on its disk stand beside it.
python3 -m pip config list | sed -n "s/^global\.\([a-z-]*\)='\(.*\)'\$/\1 = \2/p" | sed '1i [global]' >"$root/etc/pip.conf"
named=$(python3 -m pip config list | tr " '" '\n\n')
shared=$(echo "$named" | sed -n -e 's,^file://\(/.*\)/[^/]*$,\1,p' -e '/^\//p' | sort -u)

# In a mount and process namespace of its own: what is mounted or started ends with it.
# A network of its own where nothing is downloaded: its ports are free, whatever else this machine runs.
inside() {
    unshare --mount --pid --fork --kill-child "$@"
}
prepare='
    root=$1 shared=$2; shift 2
    mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; mount -t tmpfs tmpfs "$root/tmp"
    for path in $shared; do
        [ -e "$path" ] || continue
        if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$root${path%/*}"; : >>"$root$path"; fi
        mount --bind "$path" "$root$path"
    done
    ip link set lo up
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot "$root" sh -c "cd /bourse && exec \"\$@\"" - "$@"
'
with_network() { inside sh -euc "$prepare" - "$root" "$shared" "$@"; }
alone() { inside --net sh -euc "$prepare" - "$root" "$shared" "$@"; }

say "make run, as far as it downloads"
with_network make install
say "make run"
alone sh -c 'make run & python3 deploy/first_order.py; code=$?; kill $!; wait; exit $code'
say "make test, as far as it downloads"
with_network make .venv/.installed-dev
say "make test"
alone make test ARGS="$*"
say "both commands work"
