"""The weights in RapidOCR's wheel: their files, their hashes, their languages, and the precision they run in."""

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

from ocrqueue import languages
from ocrqueue.errors import ModelUnavailable
from ocrqueue.vision.ppocr import package_folder

Precision = Literal["default", "int8", "f32"]  # "default" is what OpenVINO chooses
# Part: (its kind in RapidOCR's list of models, its file).
_MODELS = {"Det": ("det", "PP-OCRv6_det_small.onnx"), "Rec": ("rec", "PP-OCRv6_rec_small.onnx")}

# The same networks in int8, which `scripts/int8_detector.py` and `scripts/int8_recogniser.py` made; the recogniser is
# without its last layer.
INT8 = {
    "Det": Path(__file__).parent / "int8" / "detector.zip",
    "Rec": Path(__file__).parent / "int8" / "recogniser.zip",
}
# Part: (hash of the file of which it was made, its own hash).
_INT8_HASHES = {
    "Det": (
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        "cd3cd760c36b453e1c1d72c54a947c5534da1d2be560cf1f948523832cbec8b1",
    ),
    "Rec": (
        "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        "b6e2581e0997196be93c4bb6fbea51a9b92d84a148d8f618a4593277c7c491e5",
    ),
}
_AGAIN = "pip install --force-reinstall rapidocr"
# The package is on no index from which pip could fetch it again by its name.
_OURS = "install OCR Queue again from where it came, in a checkout with `git restore ocrqueue` and `make setup`"


class Weights(NamedTuple):
    """A file of weights that was checked."""

    file: Path
    sha256: str  # in hexadecimal


def weights() -> dict[str, Weights]:
    """The files of the detector ("Det") and the recogniser ("Rec") in RapidOCR's wheel, checked against their hashes.

    Nothing is downloaded. Raises ModelUnavailable if a file is missing or damaged.
    """
    package = package_folder()
    found = {}
    for part, (kind, name) in _MODELS.items():
        file = package / "models" / name
        sha256 = _hash_of(file, _AGAIN)
        if sha256 != _INT8_HASHES[part][0] and sha256 != _listed(package, kind, name):
            raise _damaged(file, _AGAIN)
        found[part] = Weights(file, sha256)
    return found


def _listed(package: Path, kind: str, name: str) -> str | None:
    """The hash of a file in RapidOCR's list of models, None if it has none.

    It is asked for files of other versions only: to read the list takes 45 ms, and RapidOCR's own functions take 500.
    """
    import yaml

    with (package / "default_models.yaml").open("rb") as file:
        models = yaml.load(file, yaml.CSafeLoader)["onnxruntime"]["PP-OCRv6"][kind].values()
    return next((str(model["SHA256"]) for model in models if model["model_dir"].endswith(f"/{name}")), None)


def check(file: Path, sha256: str, advice: str = _AGAIN) -> None:
    """Compare a file with its SHA-256 in hexadecimal.

    Raises ModelUnavailable, with `advice`, if it is missing or differs.
    """
    if _hash_of(file, advice) != sha256:
        raise _damaged(file, advice)


def _damaged(file: Path, advice: str) -> ModelUnavailable:
    return broken(f"its file {file.name} is damaged", advice)


def _hash_of(file: Path, advice: str) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises ModelUnavailable, with `advice`, if it is missing."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(f"rapidocr lacks its file {file.name}: {advice}", "model_missing") from error


def int8_of(part: str, original: Weights) -> Path | None:
    """A part in int8, checked against its hash. None if it was not made of this file, but of another version.

    Raises ModelUnavailable if it is missing or damaged.
    """
    made_of, sha256 = _INT8_HASHES[part]
    if original.sha256 != made_of:
        return None
    check(INT8[part], sha256, _OURS)
    return INT8[part]


def precision() -> Precision:
    """The fastest precision on this processor: int8 if it has AVX2.

    Measured with AVX2 only, with AVX-512 VNNI, and with AMD's avx512_bf16 (0.93 of the time in bfloat16, as accurate).
    """
    return "int8" if "avx2" in _processor() else "default"


def computes_in_bfloat16() -> bool:
    """Whether this processor has bfloat16 instructions, which OpenVINO then uses by default."""
    return "bf16" in _processor()  # amx_bf16, avx512_bf16, Arm's bf16


def _processor() -> str:
    """What Linux says about the processor; empty on other systems."""
    try:
        return Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return ""


def broken(reason: str, advice: str = "pip install --force-reinstall rapidocr openvino") -> ModelUnavailable:
    """The error for a damaged installation; `advice` says how to repair it."""
    return ModelUnavailable(f"rapidocr: {reason}: {advice}", "model_broken")


# The languages that RapidOCR lists for the recogniser, by their names in `ocrqueue.languages`, and German in Fraktur.
# It lists Vietnamese too, but lacks letters such as ế, ờ and ụ and would drop every tenth character.
LANGUAGES = frozenset(
    "af az bs ca cs cy da de de-Latf en es et eu fi fil fr ga gl hr hu id is it ja ku la lb lt lv mi ms mt nl no oc pl "
    "pt qu rm ro sk sl sq sr-Latn sv sw tr uz zh zh-Hant".split()
)


def unread(lang: str) -> list[str]:
    """The languages of `lang` (see `ocrqueue.languages.parse`) that the recogniser does not read.

    Raises InvalidOptions.
    """
    return [name for name in languages.parse(lang) if name not in LANGUAGES]
