"""Structure: tables, headings, lists, running heads and order in Markdown, beside pymupdf4llm 2.0 on the same files.

`python -m bench.structure FOLDER [--set SET]... [--keep OUT] [--no-peer]`. FOLDER has documents with their truth and
`score_structure.py`, which scores Markdown. Our Markdown comes from a stack with real workers; pymupdf4llm runs in an
environment that uv makes for it, since it is no dependency. `python -m bench.structure_costs` measures CPU and memory.
"""

import json
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.support import table
from bench.support.stack import machine, private_stack, start_workers

PEER = ("pymupdf4llm>=2,<3", "pymupdf>=2,<3", "rapidocr", "onnxruntime", "opencv-python-headless")
# Prints the CPU seconds of each file. Running heads are left out and tables are HTML, which is its best setting.
PROGRAM = """
import json, sys, time
from pathlib import Path
import pymupdf4llm
seconds = {}
for file in map(Path, sys.argv[2:]):
    started = time.process_time()
    text = pymupdf4llm.to_markdown(str(file), header=False, footer=False, table_output="html")
    seconds[file.stem] = time.process_time() - started
    Path(sys.argv[1], file.stem + ".md").write_text(text, encoding="utf-8")
Path(sys.argv[1], "seconds.json").write_text(json.dumps(seconds))
"""
SETS = ("made", "scan", "eu", "eu-ocr")  # the last: the same files as "eu", read by OCR
# Bounds to be kept, for the columns of HEADER after the name: a share that has to be reached, or (CER, lost) kept.
HEADER = ("set", "program", "files", "tables F1", "headings F1", "levels", "lists F1", "depths", "heads gone",
          "text lost", "CER", "CPU s a page")  # fmt: skip
BOUNDS: Mapping[str, Sequence[float | None]] = {
    "made": (0.93, 0.99, 1.00, 0.98, 0.98, 0.99, 0.002, 0.03),
    "scan": (0.86, 0.98, 0.85, 0.98, 0.98, 0.99, 0.006, 0.06),
    "eu": (0.98,),
    "eu-ocr": (0.92,),
}


def scorer(folder: Path) -> ModuleType:
    """The module `score_structure.py` of a folder of documents."""
    spec = spec_from_file_location("score_structure", folder / "score_structure.py")
    if spec is None or spec.loader is None or not (folder / "score_structure.py").is_file():
        raise SystemExit(f"{folder}: there is no score_structure.py; give a folder of documents with their structure")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def files_of(folder: Path, name: str) -> list[Path]:
    """The PDFs of a set."""
    if name.startswith("eu"):
        return sorted((folder / "icdar2013-eu").glob("*.pdf"))
    return [file for file in sorted((folder / "made").glob("*.pdf")) if file.stem.endswith("-scan") == (name == "scan")]


def read_by_us(folder: Path, sets: Sequence[str], out: Path) -> None:
    """Write the Markdown and the result of each file, made by a stack with two children, to a folder for each set."""
    with private_stack() as stack:
        start_workers(stack, children=2)
        client = stack.client()
        jobs = {}
        for name in sets:
            (out / name).mkdir(parents=True, exist_ok=True)
            layer = "ignore" if name == "eu-ocr" else "use"
            for file in files_of(folder, name):
                jobs[name, file.stem] = client.submit(file, formats=("markdown",), text_layer=layer, fresh=True)
        for (name, stem), job in jobs.items():
            for format, extension in (("markdown", "md"), ("json", "json")):
                with (out / name / f"{stem}.{extension}").open("w", encoding="utf-8") as stream:
                    job.write(format, stream)


def read_by_peer(folder: Path, name: str, out: Path) -> float:
    """Write pymupdf4llm's Markdown of each file of a set. Returns its CPU seconds."""
    out.mkdir(parents=True, exist_ok=True)
    options = [part for package in PEER for part in ("--with", package)]
    uv = [sys.executable, "-m", "uv", "run", "--no-project", "--quiet", *options, "python", "-c", PROGRAM, str(out)]
    subprocess.run([*uv, *map(str, files_of(folder, name))], check=True, stdout=subprocess.DEVNULL)
    return float(sum(json.loads((out / "seconds.json").read_text()).values()))


def row(score: Any, name: str, program: str, seconds: str) -> list[table.Cell]:
    """The table row of a set, from its score."""
    right = score.right["headings"], score.right["items"]
    values = [
        score.f1("tables"),
        score.f1("headings"),
        score.levels / right[0] if right[0] else None,
        score.f1("items"),
        score.depths / right[1] if right[1] else None,
        1 - score.leaked / score.running if score.running else None,
        score.lost / score.body if score.body else None,
        sum(score.cers) / len(score.cers) if score.cers else None,
    ]
    shown = ["-" if value is None else f"{value:.3f}" for value in values]
    return [name, program, f"{score.documents - score.missing} of {score.documents}", *shown, seconds]


def main() -> None:
    """Read, score and print."""
    parser = ArgumentParser(prog="python -m bench.structure", description="Structure beside pymupdf4llm.")
    parser.add_argument("folder", type=Path, help="documents with the truth of their structure")
    parser.add_argument("--set", dest="sets", action="append", choices=SETS, help="only this set (repeatable)")
    parser.add_argument("--keep", type=Path, help="keep the Markdown and the results in this folder")
    parser.add_argument("--no-peer", action="store_true", help="leave pymupdf4llm out")
    given = parser.parse_args()
    module, sets = scorer(given.folder), given.sets or SETS
    rows: list[list[table.Cell]] = []
    with tempfile.TemporaryDirectory(prefix="ocr-bench-") as temporary:
        out = given.keep or Path(temporary)
        read_by_us(given.folder, sets, out / "ours")
        for name in sets:
            scores = module.score_folder(out / "ours" / name, name.removesuffix("-ocr"))
            rows.append(row(sum(scores[1:], scores[0]), name, "this project", "-"))
            if not given.no_peer and name != "eu-ocr":
                seconds = read_by_peer(given.folder, name, out / "pymupdf4llm" / name)
                pages = sum(_pages(out / "ours" / name / f"{file.stem}.json") for file in files_of(given.folder, name))
                scores = module.score_folder(out / "pymupdf4llm" / name, name)
                rows.append(row(sum(scores[1:], scores[0]), name, "pymupdf4llm", f"{seconds / pages:.2f}"))
            bounds = [f"{bound:.3f}" for bound in BOUNDS[name]]
            rows.append([name, "*bound*", "", *bounds, *[""] * (8 - len(bounds)), ""])
    table.show(HEADER, rows)
    print(f"\n{machine()}")


def _pages(result: Path) -> int:
    return len(json.loads(result.read_text(encoding="utf-8"))["pages"])


if __name__ == "__main__":
    main()
