#!/bin/sh
# Whether a process lives, for Kubernetes and Docker. For workers it needs a shell and GNU find; no Python and no Redis.
#   probe.sh live  pages|documents|NAME@HOST [SECONDS]    a worker has shown a sign of life in the last SECONDS (120)
#   probe.sh ready pages|documents|NAME@HOST [SECONDS]    and takes messages
#   probe.sh container [COMMAND_LINE]                     whichever process of the Procfile this container runs
answers() {
    python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$1', timeout=10)" >/dev/null 2>&1
}

worker() {
    case $2 in
    *@*) name=$2 ;;
    *) name=$2@$(hostname) ;;
    esac
    file=${OCR_DATA_DIR:-data}/alive/$name
    [ -n "$(find "$file" -newermt "-${3:-120} seconds" 2>/dev/null)" ] || return 1
    [ "$1" = live ] || grep -qx announced "$file"
}

case $1 in
live | ready) worker "$@" ;;
container)
    case $(tr '\0' '\n' <"${2:-/proc/1/cmdline}" | tail -n 1) in
    worker) worker live pages ;;
    documents) worker live documents ;;
    web) answers "${OCR_HTTP_PORT:-8000}/livez" ;;
    flower) answers "${OCR_FLOWER_PORT:-5555}/healthcheck" ;;
    *) ;; # beat ends when it fails
    esac
    ;;
*) echo "probe.sh: live, ready or container" >&2 && exit 2 ;;
esac
