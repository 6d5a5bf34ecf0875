#!/bin/sh
# Makes .venv with the exact versions of requirements.lock; `make setup` and every other target call it.
#
#   PYTHON=python3.12   the interpreter to use (default: the first on PATH that is new enough)
#   MLX=0               leaves out MLX and the engine that needs it; MLX=1 takes it in again; remembered in .venv/mlx
#
# One lock serves both: whatever needs no MLX is resolved under it as a constraint, and MLX with all that it brings is
# then installed from it with --no-deps. That keeps out opencv-python, which mlx-vlm asks for without using it: it wants
# libGL, and overwrites opencv-python-headless.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON is no program; give the path of a Python 3.11 or newer"
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is older than Python 3.11; give a newer one"
        return
    fi
    for PYTHON in python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$PYTHON"; then return; fi
    done
    fail "no Python 3.11 or newer on PATH; install one, or name it: make setup PYTHON=/path/to/python3"
}

make_venv() {
    find_python
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$PYTHON lacks venv; on Debian and Ubuntu: apt install python3-venv (then make setup again)"
    say "making .venv with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear .venv
}

pip_install() {
    .venv/bin/python -m pip install --disable-pip-version-check --quiet "$@"
}

install_core() {
    pip_install -c requirements.lock -r requirements-client.txt -r requirements-worker.txt -r requirements-dev.txt ||
        fail "pip could not install the packages above; once that is mended, make setup goes on from here"
}

has_mlx_wheel() {
    log=.venv/mlx.log
    if .venv/bin/python -m pip install --disable-pip-version-check --quiet --dry-run --no-deps --only-binary :all: \
        -c requirements.lock -r requirements-mlx.txt >"$log" 2>&1; then rm "$log"; return; fi
    if grep -q 'No matching distribution' "$log"; then return 1; fi
    cat "$log" >&2
    fail "pip could not look for MLX; try again, or set up without it: make setup MLX=0"
}

install_mlx() {
    if ! has_mlx_wheel; then
        say "MLX has no wheel for this machine: going on without it; everything but its engine works"
        return
    fi
    pip_install --no-deps -r requirements.lock ||
        fail "pip could not install MLX; try again, or set up without it: make setup MLX=0"
}

check_libraries() {
    # A missing library of the system shows at import, and only there.
    .venv/bin/python - <<'PY' || exit 1
import importlib, sys
debian = {"libGL.so.1": "libgl1", "libgthread-2.0.so.0": "libglib2.0-0", "libgomp.so.1": "libgomp1",
          "libstdc++.so.6": "libstdc++6"}
for name in ("cv2", "onnxruntime", "rapidocr", "pymupdf", "pillow_heif"):
    try:
        importlib.import_module(name)
    except ImportError as error:
        library = str(error).split(":")[0]
        hint = debian.get(library)
        advice = f"on Debian and Ubuntu: apt install {hint}" if hint else "install the package of your system that has it"
        sys.exit(f"setup: {name} cannot be used: {error}; {advice}")
PY
}

stamp() {
    pwd
    echo "MLX=$mlx"
    cat requirements.lock requirements-client.txt requirements-worker.txt requirements-mlx.txt requirements-dev.txt
}

mlx=${MLX:-$(cat .venv/mlx 2>/dev/null || echo 1)}
case $mlx in 0 | 1) ;; *) fail "MLX=$mlx is not allowed: 0 leaves MLX out, 1 takes it in" ;; esac

wanted=$(stamp | cksum)
if [ "$wanted" = "$(cat .venv/ready 2>/dev/null)" ] && .venv/bin/python -c '' 2>/dev/null; then exit 0; fi

# The scripts in .venv/bin name its folder: one that was moved, or whose Python is gone, is made anew.
if [ "$(cat .venv/place 2>/dev/null)" != "$(pwd)" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    make_venv
    pwd >.venv/place
fi
rm -f .venv/ready
echo "$mlx" >.venv/mlx
say "installing the packages of requirements.lock; the first time takes some minutes"
install_core
if [ "$mlx" = 1 ]; then install_mlx; fi
check_libraries
echo "$wanted" >.venv/ready
say "ready"
