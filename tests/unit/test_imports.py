"""Which module may import which, and the largest size of modules, functions and packages."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from ocrqueue.engines import ENGINES as ENGINE_TABLE

PROJECT = Path(__file__).parents[2]
CLIENT_SAFE = [
    "client", "ledger", "storage.spool", "storage.results", "errors", "options", "names", "settings", "cli", "formats",
    "models",
]  # fmt: skip
ENGINES = {"mlx", "mlx_vlm", "onnxruntime", "openvino", "rapidocr", "tesserocr"}
HEAVY = ENGINES | {"PIL", "cv2", "numpy", "pillow_heif", "pymupdf", "transformers"}
MAX_LINES = 400
MAX_MODULES = 14  # in one package
MAX_FUNCTION_LINES = 40
# The packages from top to bottom. A module imports only modules of its own group and of groups below it, so a page goes
# from `submit` to its result down this list.
GROUPS = [
    "submit", "tasks", "worker", "worker_config", "ocrqueue.__main__", "ocrqueue.cli", "ocrqueue.stack",
    "ocrqueue.web", "ocrqueue.client", "ocrqueue.steps", "ocrqueue.webhooks", "ocrqueue.fetching",
    "ocrqueue.formats", "ocrqueue.structure", "ocrqueue.upright", "ocrqueue.layout", "ocrqueue.quality",
    "ocrqueue.documents", "ocrqueue.engines", "ocrqueue.vision", "ocrqueue.models", "ocrqueue.storage",
    "ocrqueue.ledger", "ocrqueue.process", "ocrqueue",
]  # fmt: skip


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]


OURS = sources("ocrqueue", "tasks", "worker", "scripts", "bench")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(tree: ast.AST) -> Iterator[str]:
    """The full names of the modules that are imported anywhere in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_on_load(tree: ast.AST) -> Iterator[str]:
    """The modules that are imported when the module itself is, not inside a function or for type checking."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(ast.Module([node], []))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not _only_for_types(node):
            yield from imported_on_load(node)


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def offenders(paths: list[Path], forbidden: set[str], find=imports) -> list[str]:
    found = []
    for path in paths:
        tops = {name.split(".")[0] for name in find(parsed(path))}
        found += [f"{path.relative_to(PROJECT)} imports {name}" for name in sorted(tops & forbidden)]
    return found


def loaded_by(module: str) -> set[str]:
    """The top-level modules that a new interpreter has loaded after it imported a module."""
    program = f"import json, sys, {module}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout))


@cache
def import_graph() -> dict[str, set[str]]:
    """Each module of the project with the modules of the project it imports, also inside functions and for types."""
    paths = {_module_name(path): path for path in [*sources("ocrqueue", "tasks", "worker"), *PROJECT.glob("*.py")]}
    graph = {}
    for module, path in paths.items():
        found = set(imports(parsed(path)))
        named = {name if name in paths else name.rpartition(".")[0] for name in found}
        graph[module] = (named & paths.keys()) - {module}
    return graph


def _module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def group_of(module: str) -> int:
    """The place of a module's group in `GROUPS`."""
    name = module
    while name not in GROUPS:
        name = name.rpartition(".")[0]
        assert name, f"{module} is in no group: add its package to GROUPS"
    return GROUPS.index(name)


def test_no_module_imports_itself_through_others():
    assert cycle_of(import_graph()) == []


def cycle_of(graph: dict[str, set[str]]) -> list[str]:
    """One import cycle, with the first module repeated at the end. Empty without a cycle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        return list(e.args[1])[::-1]
    return []


def test_a_cycle_is_found():
    assert cycle_of({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert sorted(set(cycle_of({"a": {"b"}, "b": {"a"}, "c": {"a"}}))) == ["a", "b"]


def test_modules_import_only_from_groups_below():
    upward = [
        f"{module} imports {other}"
        for module, others in import_graph().items()
        for other in sorted(others)
        if group_of(other) < group_of(module)
    ]
    assert upward == []


def test_the_graph_contains_imports():
    graph = import_graph()
    assert "ocrqueue.cli" in graph["submit"]
    assert "worker.context" in graph["tasks.page"]
    assert group_of("tasks.page") < group_of("ocrqueue.steps.reading") < group_of("ocrqueue.errors")


def test_packages_stay_small():
    folders = {path.parent for path in sources("ocrqueue", "tasks", "worker")}
    counts = {str(f.relative_to(PROJECT)): len([p for p in f.glob("*.py") if p.stem[:2] != "__"]) for f in folders}
    assert {name: count for name, count in counts.items() if count > MAX_MODULES} == {}


def test_client_safe_modules_load_nothing_heavy():
    loaded = loaded_by(", ".join(f"ocrqueue.{name}" for name in CLIENT_SAFE))
    assert loaded & {*HEAVY, "httpx2"} == set()  # httpx2: only with OCR_API_URL


def test_the_structure_of_pages_loads_its_models_with_the_first_page() -> None:
    assert loaded_by("ocrqueue.steps.structure") & HEAVY == set()


_CLIENT_ALONE = """
import importlib, pkgutil, re, sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

def plain(name):
    return re.split(r"[^A-Za-z0-9._-]", name)[0].lower().replace("_", "-")

def with_needs(names):
    found, left = set(), [plain(name) for name in names]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            try:
                left += [plain(need) for need in requires(name) or () if "extra ==" not in need]
            except PackageNotFoundError:
                pass
    return found

lines = Path("requirements-client.txt").read_text().splitlines()
allowed = with_needs(line for line in lines if line and not line.startswith("#"))
owners = {name: set(map(plain, dists)) for name, dists in packages_distributions().items()}

class LeftOut:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "ocrqueue" and top in owners and not owners[top] & allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, LeftOut())
for package in ("ocrqueue.client", "ocrqueue.cli"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
import ocrqueue.cli
ocrqueue.cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("command", "message"),
    [("doctor", "cannot be reached"), ("models pull a/b", "huggingface_hub"), ("models check a/b", "a/b")],
)
def test_the_command_line_works_with_the_requirements_of_the_client_only(command, message, tmp_path):
    settings = {"REDIS_URL": "redis://127.0.0.1:1", "OCR_MODEL_DIR": str(tmp_path), "OCR_WORKER_ENGINES": "tesseract"}
    run = subprocess.run(
        [sys.executable, "-c", _CLIENT_ALONE, *command.split()], cwd=PROJECT, capture_output=True, text=True,
        timeout=120, env={**os.environ, **settings},
    )  # fmt: skip
    assert message in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


def test_the_check_finds_loaded_modules():
    assert {"json", "numpy"} <= loaded_by("numpy")


def test_the_domain_does_not_import_tasks_and_their_settings():
    assert offenders(sources("ocrqueue"), {"tasks", "worker", "worker_config", "submit"}) == []


def test_only_the_client_imports_celery():
    others = [path for path in sources("ocrqueue") if path != PROJECT / "ocrqueue" / "client" / "queue.py"]
    assert offenders(others, {"celery"}) == []


def test_only_engines_import_mlx():
    others = [p for p in sources("ocrqueue", "tasks", "worker") if PROJECT / "ocrqueue" / "engines" not in p.parents]
    assert offenders(others, {"mlx", "mlx_vlm"}) == []


def test_what_may_be_left_out_is_never_imported_on_load():
    assert offenders(sources("ocrqueue", "tasks", "worker"), {"mlx", "mlx_vlm", "tesserocr"}, imported_on_load) == []


def test_tasks_import_no_engine_on_load():
    assert offenders(sources("tasks", "worker"), ENGINES, imported_on_load) == []
    modules = tuple(entry.partition(":")[0] for entry in ENGINE_TABLE.values())
    found = [
        f"{path.name} imports {name}"
        for path in sources("tasks", "worker")
        for name in imported_on_load(parsed(path))
        if name.startswith(modules)
    ]
    assert found == []


def test_pymupdf_is_imported_in_one_place():
    paths = [path for path in sources("ocrqueue", "tasks", "worker", "scripts") if path.name != "mupdf.py"]
    assert [o for o in offenders(paths, {"pymupdf"}) if "ocrqueue/structure/models.py" not in o] == []


_WITHOUT_MODELS = """
import sys
import ocrqueue.documents.pdf.document, ocrqueue.formats.pdf.searchable, ocrqueue.structure
pymupdf = ocrqueue.documents.pdf.document.pymupdf
assert ocrqueue.structure.has_models()
with pymupdf.open() as pdf:
    pdf.new_page().insert_text((72, 72), "text")
    pdf[0].get_pixmap(), pdf[0].get_text()
found = {"pymupdf.layout", "pymupdf4llm", "onnxruntime", "networkx"} & sys.modules.keys()
assert not found, found
import pymupdf.layout  # can still be imported
"""


def test_documents_are_opened_and_rendered_without_the_layout_models():
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_MODELS], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr


def test_the_parent_of_the_workers_loads_no_engine():
    assert loaded_by("worker.app") & ENGINES == set()


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_process_of_the_stack_loads_no_other_command_of_celery(command: str) -> None:
    """Celery's own command line loads Flower and a library for prompts at each start: a third of its CPU time."""
    program = "import sys, tasks.app\ntry: tasks.app.main()\nfinally:\n  for name in sys.modules: print('>', name)"
    run = subprocess.run(
        [sys.executable, "-c", program, command, "--help"], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert f"Usage: python -m tasks.app {command} [OPTIONS]" in run.stdout, run.stderr
    loaded = {line.split()[1].partition(".")[0] for line in run.stdout.splitlines() if line.startswith("> ")}
    assert loaded & {"celery", "flower", "click_repl", "prompt_toolkit"} == {"celery"}
    assert re.search(rf"^\w+: python -m tasks\.app {command} ", (PROJECT / "Procfile").read_text(), re.MULTILINE)


_WITHOUT_MLX = """
import importlib, os, pkgutil, sys
from pathlib import Path

class LeftOut:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mlx", "mlx_vlm", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, LeftOut())
for package in ("ocrqueue", "tasks", "worker"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
      if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from ocrqueue.engines import Model
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.errors import ModelUnavailable
folder = Path("tests/data/tiny-ocr-vlm").resolve()
os.environ["OCR_MODEL"] = str(folder)
try:
    MlxVlm().load(Model(folder.name, "1", folder))
except ModelUnavailable as e:
    print(e.code, e.message)
"""


def test_without_mlx_only_its_engine_fails():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WITHOUT_MLX], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("model_missing mlx-vlm cannot be imported (")
    assert "make setup MLX=1" in run.stdout


def test_modules_stay_small():
    lines = {str(path.relative_to(PROJECT)): len(path.read_text().splitlines()) for path in OURS}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_functions_stay_short():
    found = {}
    for path in OURS:
        for function in [n for n in ast.walk(parsed(path)) if isinstance(n, ast.FunctionDef)]:
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                found[f"{path.relative_to(PROJECT)}: {function.name}"] = lines
    assert found == {}


def test_an_import_inside_a_function_is_no_import_on_load():
    tree = ast.parse(
        "import a\nclass C:\n    import b\n    def f(self):\n        import c\nif TYPE_CHECKING:\n    import d\n"
    )
    assert list(imported_on_load(tree)) == ["a", "b"]
    assert set(imports(tree)) == {"a", "b", "c", "d"}
