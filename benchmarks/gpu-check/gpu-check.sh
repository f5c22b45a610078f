#!/bin/sh
# Checks dcr-js on this machine's GPU: ./gpu-check.sh [--out result.json]. Needs no network, no Node and no rights; at most 8 minutes.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
# Node needs C++'s run time; the machine's own comes first.
if ! "$here/bin/node" --version >/dev/null 2>&1; then
  LD_LIBRARY_PATH="$here/lib/cxx${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export LD_LIBRARY_PATH
fi
# Mesa complains where it is missing.
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
  XDG_RUNTIME_DIR=$(mktemp -d) && export XDG_RUNTIME_DIR
fi
DCR_BUNDLE="$here/app" exec "$here/bin/node" "$here/app/benchmarks/dist/gpu-check/main.js" "$@"
