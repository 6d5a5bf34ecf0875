"""The weights in RapidOCR's wheel: which files, whether they are whole, the languages they know, how they compute."""

import hashlib
from pathlib import Path

from ocrqueue.errors import ModelUnavailable
from ocrqueue.ppocr import package_folder

_MODELS = {"Det": ("det", "multi_PP-OCRv6_det_small"), "Rec": ("rec", "multi_PP-OCRv6_rec_small")}


def weights() -> dict[str, Path]:
    """The files of `Det` and `Rec`, checked against the hashes that the wheel names.

    They are read from the wheel alone; nothing is ever downloaded. Raises ModelUnavailable.
    """
    import yaml

    package = package_folder()
    # RapidOCR's own functions take half a second to read this list.
    with (package / "default_models.yaml").open("rb") as file:
        known = yaml.load(file, yaml.CSafeLoader)["onnxruntime"]["PP-OCRv6"]
    files = {}
    for part, (kind, name) in _MODELS.items():
        model = known[kind][name]
        files[part] = package / "models" / model["model_dir"].rpartition("/")[2]
        check(files[part], model["SHA256"])
    return files


def check(file: Path, sha256: str) -> None:
    """Compare a file with its hash. Raises ModelUnavailable."""
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
    """Whether this processor has instructions for bfloat16, which OpenVINO uses unasked."""
    try:
        return "bf16" in Path("/proc/cpuinfo").read_text("utf-8", "replace")  # amx_bf16, avx512_bf16, Arm's bf16
    except OSError:  # no Linux
        return False


def broken(reason: str) -> ModelUnavailable:
    """The error for an installation that is not whole."""
    return ModelUnavailable(f"rapidocr: {reason}: pip install --force-reinstall rapidocr openvino", "model_broken")


# RapidOCR lists Vietnamese, but the recogniser has no letter such as ế, ờ or ụ: it would drop one character in ten.
_LISTED_IN_VAIN = frozenset({"vi"})


def unknown_language(lang: str) -> str:
    """Nothing where the recogniser knows a language such as "de" or "en-GB"; else the languages that it knows."""
    from rapidocr.utils.model_resolver import list_supported_langs, route_to_model_key
    from rapidocr.utils.typings import ModelType, OCRVersion, TaskType

    kind = (TaskType.REC, OCRVersion.PPOCRV6)
    names = (lang, lang.replace("_", "-").partition("-")[0])
    for name in names if not _LISTED_IN_VAIN.intersection(names) else ():
        try:
            route_to_model_key(*kind, name, ModelType.SMALL)
        except ValueError:
            continue
        return ""
    return ", ".join(sorted({*list_supported_langs(*kind, ModelType.SMALL)} - _LISTED_IN_VAIN))
