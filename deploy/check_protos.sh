#!/bin/sh
# Fail unless the committed code of protos/ is what the .proto files generate: check_protos.sh PYTHON
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sh deploy/protos.sh "$1" "$out"
for file in "$out"/protos/* protos/*_pb2*; do
    name=protos/$(basename "$file")
    cmp -s "$out/$name" "$name" || {
        echo "$name is not what the .proto files generate: run 'make protos'" >&2
        exit 1
    }
done
