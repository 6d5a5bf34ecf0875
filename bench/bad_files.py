"""Reads broken, odd and hostile files with a whole stack, and checks the answer to each.

`python -m bench.bad_files FOLDER [--page-seconds N] [--children N]`. FOLDER holds the files and `bad.json`, a list of
{"file", "expect_list": [correct answers]}. Each file is read a second time under a neutral name. The script also looks
for side effects: files written outside the stack, connections, started programs, and processes and temporary files that
remain. If `strace` is installed, this includes C code.
"""

import json
import re
import shutil
import socket
import sys
import tempfile
import threading
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.support import table
from ocrqueue.client import Client, Job
from ocrqueue.errors import OcrError
from tests.support.harness import Stack, eventually

NEUTRAL = "document"
# The number of pages if the answer is "success" (all other files have one page), and a part of the text if it is known.
PAGES = {
    "odd_multiframe.tif": 3, "pil_g4-multi.tiff": 3, "pjs_vertical.pdf": 3, "mu_circular-toc.pdf": 2,
    "pjs_evaljs.pdf": 2, "pl_invalid_pdf.pdf": 2,
}  # fmt: skip
FILES_WITH = {
    "hello from a test page": (
        "bad_xref.pdf no_xref.pdf junk_before.pdf junk_after.pdf page_zero_area.pdf page_inverted_box.pdf "
        "deep_arrays.pdf deep_dicts.pdf prev_loop.pdf js_openaction.pdf launch_action.pdf submit_uri.pdf "
        "embedded_file.pdf xfa_xxe.pdf eval_metadata.pdf hidden_layer_injection.pdf odd_rotate_90.pdf "
        "odd_rotate_45.pdf -rf.pdf no_extension quote';--.pdf pdf_named.png"
    ),
    "quick brown fox": (
        "enc_aes256_owner_only.pdf enc_no_extract.pdf odd_cmyk.jpg odd_gray16.png odd_gray16_dark.tif odd_float32.tif "
        "odd_palette_trns.png odd_black_on_transparent.png odd_white_on_black.png odd_exif_6.jpg odd_exif_8.jpg "
        "odd_fax_204x98.tif odd_jpeg2000.jp2 odd_text.avif"
    ),
    "frame number": "odd_animated.gif odd_animated.webp odd_multiframe.tif",
    "reply only: hacked": "prompt_injection.png",
    "lorem ipsum": "pypdf_with-attachment.pdf",
    "slerexe company": "dcl_sample_with_rotation_mismatch.pdf",
    "我是中国人": "rap_img_exif_orientation.jpg",
    "sample vector": "omp_vector.pdf",
}
WORDS = {name: text for text, files in FILES_WITH.items() for name in files.split()}
HOSTNAME = Path("/etc/hostname")
# Programs and files that Python uses itself: `platform` runs uname, `uuid` writes the time.
STARTED = (sys.executable, '"/usr/bin/uname"', "ENOENT")
WRITABLE = ("/dev/", "/proc/", "/var/lib/libuuid/")
_CALL = re.compile(r"^\d+ +(?:\S+ )?(\w+)\((.*)$")
_WRITES = re.compile(r"O_(?:WRONLY|RDWR|CREAT)")


@dataclass(frozen=True, slots=True)
class Case:
    """A file and its correct answers."""

    file: Path
    expected: frozenset[str]  # "success", "partial" or error codes


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a file."""

    word: str  # "success", "partial" or an error code
    pages: int = 0  # number of pages
    text: str = ""  # of all pages
    seconds: float = 0.0  # from opening the document to the end of the job
    message: str = ""  # of an error


@dataclass(frozen=True, slots=True)
class Row:
    """The two answers to a file."""

    case: Case
    named: Answer  # under its own name
    neutral: Answer  # under a neutral name

    def faults(self) -> Iterator[str]:
        """Messages about wrong answers."""
        name = self.case.file.name
        for answer in (self.named, self.neutral):
            if answer.word not in self.case.expected:
                yield f"{answer.word} ({answer.message})"
            if answer.word == "success":
                if answer.pages != PAGES.get(name, 1):
                    yield f"{answer.pages} pages instead of {PAGES.get(name, 1)}"
                text = answer.text.replace("\n", "").replace(" ", "").lower()
                if WORDS.get(name, "").replace(" ", "") not in text:
                    yield f"its text does not contain {WORDS[name]!r}"
            if HOSTNAME.exists() and len(host := HOSTNAME.read_text().strip()) > 3 and host in answer.text:
                yield f"its text contains the content of {HOSTNAME}"
        if self.named.word != self.neutral.word:
            yield f"another answer under the name {NEUTRAL!r}: {self.neutral.word}"


class Traced(Stack):
    """A stack whose workers run under strace, if it is installed."""

    trace = shutil.which("strace")

    def _celery(self, *args: str) -> list[str]:
        command = super()._celery(*args)
        if not self.trace or args[0] != "worker":
            return command
        out = self.folder / f"strace-{args[args.index('-n') + 1].partition('@')[0]}"
        return [self.trace, "-D", "-f", "--seccomp-bpf", "-qq", "-y", "-e", "trace=connect,openat,open,execve",
                "-o", str(out), *command]  # fmt: skip

    def side_effects(self, inputs: Path) -> Iterator[str]:
        """Messages about system calls that a worker must not make."""
        for log in self.folder.glob("strace-*"):
            for line in log.read_text(errors="replace").splitlines():
                if (call := _CALL.match(line)) and (why := self._why(call[1], call[2], inputs)):
                    yield f"{why}: {line}"

    def _why(self, call: str, arguments: str, inputs: Path) -> str | None:
        if call == "connect":
            return "connection" if "AF_INET" in arguments else None
        if call == "execve":
            return None if any(program in arguments for program in STARTED) else "program started"
        found = re.match(r'(?:AT_FDCWD<([^>]*)>, |\d+<([^>]*)>, )?"([^"]*)"', arguments)
        path = Path(found[1] or found[2] or "/", found[3]) if found else Path("/")
        if path == HOSTNAME or inputs in path.parents:
            return "file read outside the spool"
        allowed = self.folder in path.parents or str(path).startswith(WRITABLE)
        return "file written outside" if _WRITES.search(arguments) and not allowed else None


@contextmanager
def listening(port: int = 9) -> Iterator[list[str]]:
    """Record connections to the discard port, which some files name. Without root rights nothing is recorded."""
    heard: list[str] = []
    with socket.socket() as server:
        try:
            server.bind(("127.0.0.1", port))
            server.listen()
        except OSError:
            yield heard
            return

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, (address, _) = server.accept()
                    heard.append(f"connection from {address} to port {port}")
                    connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@contextmanager
def bad_stack(children: int, page_seconds: int) -> Iterator[Traced]:
    """A stack that reads with RapidOCR and short time limits."""
    with tempfile.TemporaryDirectory(prefix="ocr-bad-") as folder:
        limits = {"OCR_PAGE_SECONDS": str(page_seconds), "OCR_OPEN_SECONDS": str(page_seconds), "OCR_MAX_PAGES": "500"}
        (Path(folder) / "tmp").mkdir()
        stack = Traced(
            Path(folder), TMPDIR=str(Path(folder) / "tmp"), PYTHONDONTWRITEBYTECODE="1", OCR_RECONCILE_SECONDS="5",
            **limits,
        )  # fmt: skip
        try:
            stack.start_redis()
            stack.start_documents(children=1)
            stack.start_worker(engines="rapidocr", children=children)
            stack.spawn("beat", stack._celery("beat", "--pidfile="))
            yield stack
        finally:
            stack.close()


def answer_of(client: Client, job: Job | Answer, timeout: float) -> Answer:
    """Wait for a job, at most `timeout` seconds, and return its answer."""
    if isinstance(job, Answer):
        return job
    status = job.wait(timeout)
    record = client.ledger.job(job.id)
    seconds = (record.ended or 0.0) - (record.opened or record.ended or 0.0)
    if status.state == "failed":
        error = job.failure()
        return Answer(error.code, seconds=seconds, message=error.message)
    word = {"done": "success"}.get(status.state, status.state)
    return Answer(word, status.pages or 0, job.text(), seconds)


def hand_over(client: Client, file: Path, name: str) -> Job | Answer:
    """Submit the bytes of a file. Returns the job, or the answer if the file is rejected at once."""
    try:
        return client.submit(file.read_bytes(), name=name)
    except OcrError as e:
        return Answer(e.code, message=e.message)


def run(stack: Traced, cases: Iterable[Case], timeout: float = 3600) -> list[Row]:
    """Read every file twice, with a running stack."""
    client = stack.client()
    jobs = [
        (case, hand_over(client, case.file, case.file.name), hand_over(client, case.file, NEUTRAL)) for case in cases
    ]
    return [
        Row(case, answer_of(client, named, timeout), answer_of(client, neutral, timeout))
        for case, named, neutral in jobs
    ]


def leftovers(stack: Traced, inputs: Path) -> list[str]:
    """Messages about side effects, after all jobs have ended."""
    found = list(stack.side_effects(inputs))
    eventually(lambda: not stack.redis.exists("ocr:claims"), 30)
    found += [f"temporary file left: {p}" for p in (stack.folder / "tmp").rglob("*") if p.is_file()]
    found += [f"unfinished file left: {p}" for p in (stack.folder / "data" / "spool").rglob(".tmp-*")]
    for name in ("worker", "documents"):
        if stack.processes[name].poll() is not None:
            found.append(f"{name} ended")
            continue
        for child in psutil.Process(stack.processes[name].pid).children(recursive=True):
            with suppress(psutil.Error):
                if "tasks.app" not in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"process left below {name}: {child.cmdline()}")
    return found


def load(folder: Path) -> list[Case]:
    """The cases in the `bad.json` of a folder."""
    entries = json.loads((folder / "bad.json").read_text())
    return [Case(folder / e["file"], frozenset(e["expect_list"])) for e in entries]


def main() -> int:
    """Run and print a table. Returns 1 if there is a wrong answer or a side effect."""
    parser = ArgumentParser(description="Reads bad files with a whole stack.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page-seconds", type=int, default=20)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--only", nargs="*", metavar="FILE", help="only these files")
    parser.add_argument("--text", action="store_true", help="print the texts")
    given = parser.parse_args()
    folder = given.folder.resolve()
    with bad_stack(given.children, given.page_seconds) as stack, listening() as heard:
        rows = run(stack, [c for c in load(folder) if not given.only or c.file.name in given.only])
        still = run(stack, [Case(r.case.file, r.case.expected) for r in rows if r.named.word == "success"][:1])
        wrong = [*leftovers(stack, folder), *heard]
    table.show(
        ["file", "right", "answer", "under another name", "pages", "s"],
        [
            [r.case.file.name[:48], "\\|".join(sorted(r.case.expected)), r.named.word, r.neutral.word, r.named.pages,
             round(r.named.seconds, 1)]
            for r in rows
        ],
    )  # fmt: skip
    if given.text:
        for row in rows:
            print(f"{row.case.file.name[:48]}: {row.named.pages}p {row.named.message} {row.named.text[:160]!r}")
    faults = [f"{r.case.file.name}: {fault}" for r in rows for fault in r.faults()]
    after = still[0].named.word if still else "none"
    print(f"\n{len(rows)} files twice, {len(faults)} wrong answers, {len(wrong)} side effects", end="")
    print(f", {'traced' if stack.trace else 'not traced'}; then a good file: {after}")
    print("\n".join([*faults, *wrong]))
    return 1 if faults or wrong or after not in ("success", "none") else 0


if __name__ == "__main__":
    sys.exit(main())
