"""The weights in RapidOCR's wheel: their files, their hashes, their languages, and the precision they run in."""

import hashlib
from pathlib import Path

from ocrqueue import languages
from ocrqueue.errors import ModelUnavailable
from ocrqueue.ppocr import package_folder

# Part: (its name in RapidOCR's list of models, the model's name there).
_MODELS = {"Det": ("det", "multi_PP-OCRv6_det_small"), "Rec": ("rec", "multi_PP-OCRv6_rec_small")}


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


def check(file: Path, sha256: str) -> None:
    """Compare a file with its SHA-256 in hexadecimal. Raises ModelUnavailable if it is missing or differs."""
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(
            f"rapidocr lacks its file {file.name}: pip install --force-reinstall rapidocr", "model_missing"
        ) from error
    if found != sha256:
        raise broken(f"its file {file.name} is damaged")


def computes_in_bfloat16() -> bool:
    """Whether this processor has bfloat16 instructions, which OpenVINO then uses by default."""
    try:
        return "bf16" in Path("/proc/cpuinfo").read_text("utf-8", "replace")  # amx_bf16, avx512_bf16, Arm's bf16
    except OSError:  # not Linux
        return False


def broken(reason: str) -> ModelUnavailable:
    """The error for a damaged installation, with the command that repairs it."""
    return ModelUnavailable(f"rapidocr: {reason}: pip install --force-reinstall rapidocr openvino", "model_broken")


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
