#!/usr/bin/env bash
# Writes proto/released.binpb: the protos as this release speaks them. tests/proto holds every later version against it.
# Run it when a release is made, never to silence that test.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

install_packages protobuf-compiler
cd "$root/proto"
mapfile -t files < <(find . -name '*.proto' -printf '%P\n' | LC_ALL=C sort)
protoc -I. --include_imports --descriptor_set_out=released.binpb "${files[@]}"
say "proto/released.binpb: ${#files[@]} files, $(stat -c %s released.binpb) bytes; commit it with the release"
