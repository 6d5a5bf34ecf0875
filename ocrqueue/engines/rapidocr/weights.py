"""The weights in RapidOCR's wheel: their files, their hashes, their languages, and the precision they run in."""

import hashlib
from pathlib import Path
from typing import Literal

from ocrqueue import languages
from ocrqueue.errors import ModelUnavailable
from ocrqueue.ppocr import package_folder

Precision = Literal["default", "int8", "f32"]  # "default" is what OpenVINO chooses
# Part: (its name in RapidOCR's list of models, the model's name there).
_MODELS = {"Det": ("det", "multi_PP-OCRv6_det_small"), "Rec": ("rec", "multi_PP-OCRv6_rec_small")}

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
# The package is on no index from which pip could fetch it again by its name.
_OURS = "install OCR Queue again from where it came, in a checkout with `git restore ocrqueue` and `make setup`"


def weights() -> dict[str, Path]:
    """The files of the detector ("Det") and the recogniser ("Rec"), checked against the hashes in the wheel.

    Nothing is downloaded. Raises ModelUnavailable if a file is missing or damaged.
    """
    import yaml

    package = package_folder()
    # The C loader: RapidOCR's own functions need half a second for this list.
    with (package / "default_models.yaml").open("rb") as file:
        known = yaml.load(file, yaml.CSafeLoader)["onnxruntime"]["PP-OCRv6"]
    files = {}
    for part, (kind, name) in _MODELS.items():
        model = known[kind][name]
        files[part] = package / "models" / model["model_dir"].rpartition("/")[2]
        check(files[part], model["SHA256"])
    return files


def check(file: Path, sha256: str, advice: str = "pip install --force-reinstall rapidocr") -> None:
    """Compare a file with its SHA-256 in hexadecimal.

    Raises ModelUnavailable, with `advice`, if it is missing or differs.
    """
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(f"rapidocr lacks its file {file.name}: {advice}", "model_missing") from error
    if found != sha256:
        raise broken(f"its file {file.name} is damaged", advice)


def int8_of(part: str, original: Path) -> Path | None:
    """A part in int8, checked against its hash. None if it was not made of this file, but of another version.

    Raises ModelUnavailable if it is missing or damaged.
    """
    made_of, sha256 = _INT8_HASHES[part]
    with original.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != made_of:
            return None
    check(INT8[part], sha256, _OURS)
    return INT8[part]


def precision() -> Precision:
    """The fastest precision on this processor: int8 if it has AVX2, but no instructions for bfloat16."""
    known = _processor()
    return "int8" if "avx2" in known and "bf16" not in known else "default"


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
