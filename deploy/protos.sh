#!/bin/sh
# Generate the code of protos/: protos.sh PYTHON OUT-FOLDER
set -eu
python=$1 out=$2
bin=$(dirname "$python")
"$python" -m grpc_tools.protoc -I . \
    --plugin=protoc-gen-mypy="$bin/protoc-gen-mypy" --plugin=protoc-gen-mypy_grpc="$bin/protoc-gen-mypy_grpc" \
    --python_out="$out" --grpc_python_out="$out" --mypy_out="quiet:$out" --mypy_grpc_out="quiet:$out" \
    protos/calls.proto protos/catalog.proto protos/order.proto
