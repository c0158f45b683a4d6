#!/bin/sh
# Make a certificate for TLS between the processes, and the authority that signs it if there is none yet:
# certificates.sh FOLDER NAME "HOST ...". For tests and small systems: the authority's key lies beside it, unencrypted.
set -eu
umask 077
folder=$1 name=$2 hosts=$3
days=365

command -v openssl >/dev/null 2>&1 || {
    echo "bourse: no openssl found; on Debian and Ubuntu: apt-get install openssl" >&2
    exit 1
}
case $name in ca | */*)
    echo "bourse: NAME=$name: ca is the authority's own name, and a name holds no slash" >&2
    exit 1
    ;;
esac
mkdir -p "$folder"
cd "$folder"

# What openssl tells while all goes well is of no use to anybody.
quietly() {
    said=$("$@" 2>&1) || {
        echo "$said" >&2
        exit 1
    }
}

if ! [ -e ca.pem ]; then
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=Bourse authority" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout ca-key.pem -out ca.pem
    echo "$folder/ca.pem, ca-key.pem: a new authority"
fi

# A caller compares the address that it was given with these names: a number with IP, anything else with DNS.
names=
for host in $hosts; do
    case $host in
        *:*) kind=IP ;;
        *[!0-9.]*) kind=DNS ;;
        *) kind=IP ;;
    esac
    names=$names${names:+,}$kind:$host
done
trap 'rm -f "$name.csr" "$name.ext"' EXIT
quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=Bourse $name" \
    -keyout "$name-key.pem" -out "$name.csr"
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=critical,digitalSignature\n' "$names" \
    >"$name.ext"
quietly openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days $days \
    -extfile "$name.ext" -out "$name.pem"
echo "$folder/$name.pem, $name-key.pem: good for $days days, for $names"
path=$(pwd)
printf 'export BOURSE_TLS_CA=%s BOURSE_TLS_CERT=%s BOURSE_TLS_KEY=%s\n' \
    "$path/ca.pem" "$path/$name.pem" "$path/$name-key.pem"
