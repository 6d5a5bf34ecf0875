"""The weights in RapidOCR's wheel: their files, their hashes, their languages, and the precision they run in."""

import hashlib
from pathlib import Path

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


# RapidOCR lists Vietnamese, but the recogniser lacks letters such as ế, ờ and ụ and would drop every tenth character.
_NOT_READ = frozenset({"vi"})


def unknown_language(lang: str) -> str:
    """An empty text if the recogniser reads the language `lang`, such as "de" or "en-GB"; else those it reads."""
    from rapidocr.utils.model_resolver import list_supported_langs, route_to_model_key
    from rapidocr.utils.typings import ModelType, OCRVersion, TaskType

    kind = (TaskType.REC, OCRVersion.PPOCRV6)
    names = (lang, lang.replace("_", "-").partition("-")[0])
    for name in names if not _NOT_READ.intersection(names) else ():
        try:
            route_to_model_key(*kind, name, ModelType.SMALL)
        except ValueError:
            continue
        return ""
    return ", ".join(sorted({*list_supported_langs(*kind, ModelType.SMALL)} - _NOT_READ))
