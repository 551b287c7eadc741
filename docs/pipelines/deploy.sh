#!/bin/sh
# Takes one artifact to one ring: asks the gate for a permit, redeems it, runs the
# command that deploys, and reports what came of it. Nothing runs without a permit.
#
#   deploy.sh DEPLOYMENT RING DEVICES ARTIFACT COMMAND [ARGUMENT…]
#
# EUCORA_SERVER and EUCORA_TOKEN (a publisher's) say whom to ask, and as whom. The
# command finds the artifact's path in ARTIFACT: a copy that nobody else can change,
# the one that the permit is for. It may write "SUCCEEDED FAILED", two numbers of
# devices, to the file named in COUNTS; without it the next ring stays closed.
set -eu
[ $# -ge 5 ] || { echo "usage: deploy.sh DEPLOYMENT RING DEVICES ARTIFACT COMMAND..." >&2; exit 2; }
deployment=$1 ring=$2 devices=$3 artifact=$4
shift 4
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ARTIFACT=$dir/$(basename -- "$artifact") COUNTS=$dir/.counts
cp -- "$artifact" "$ARTIFACT"
export ARTIFACT COUNTS

eucora gate "$deployment" --ring "$ring" --devices "$devices" --artifact "$ARTIFACT" --permit-out "$dir/.permit"
eucora permit redeem "$dir/.permit" --artifact "$ARTIFACT"

if "$@"; then kind=DEPLOYMENT_COMPLETED status=0; else kind=DEPLOYMENT_FAILED status=1; fi
set -- deployment report "$deployment" "$kind" --ring "$ring"
if [ -s "$COUNTS" ] && read -r succeeded failed < "$COUNTS"; then set -- "$@" --succeeded "$succeeded" --failed "$failed"; fi
eucora "$@"
exit "$status"
