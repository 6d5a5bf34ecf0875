#!/bin/sh
# Whether a worker lives, or is ready, for Kubernetes and Docker. Needs a shell and GNU find; no Python and no Redis.
#   probe.sh live  pages|documents|NAME@HOST [SECONDS]    it has shown a sign of life in the last SECONDS (120)
#   probe.sh ready pages|documents|NAME@HOST [SECONDS]    and takes messages
case $2 in
*@*) name=$2 ;;
*) name=$2@$(hostname) ;;
esac
file=${OCR_DATA_DIR:-data}/alive/$name
[ -n "$(find "$file" -newermt "-${3:-120} seconds" 2>/dev/null)" ] || exit 1
[ "$1" = live ] || grep -qx announced "$file"
