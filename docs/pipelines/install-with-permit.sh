#!/bin/sh
# Runs an installer on an endpoint only if a signed permit is for exactly this file,
# now. It needs no server: the permit, and the server's public keys.
#
#   install-with-permit.sh PERMIT KEYS RING INSTALLER [ARGUMENT…]
#
# What is checked is a copy, and the copy is what runs: the file may change meanwhile.
set -eu
[ $# -ge 4 ] || { echo "usage: install-with-permit.sh PERMIT KEYS RING INSTALLER..." >&2; exit 2; }
permit=$1 keys=$2 ring=$3 installer=$4
shift 4
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
copy=$dir/$(basename -- "$installer")
cp -- "$installer" "$copy"
eucora permit verify "$permit" --key "$keys" --ring "$ring" --artifact "$copy"
chmod u+x "$copy"
"$copy" "$@"
