"""The limited child, seen from its parent: what it gives, what it may not do, and what its death means."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.content.found import Picture
from ingest.reasons import Reason, Rejected
from ingest.sandbox import MEMORY, Sandbox, SandboxUnavailable

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "simulators" / "recordings"
JPEG, PNG, ECG = (RECORDINGS / name for name in ("fundus-left-normal.jpg", "microaneurysms.png", "ecg-12-lead.dcm"))
Boxes = Callable[..., Sandbox]

STAND_IN = """
import sys
sys.path.insert(0, {root!r})
import ctypes, os, socket, stat, subprocess, time
from pathlib import Path
from ingest.content.found import Found, Picture
from ingest.reasons import Reason, Rejected
from ingest.sandbox_child import main

def look(path, content_type, kind, out):
    text = path.read_text()
    {body}
    return Found(eye=text)

def load():
    assert stat.S_ISFIFO(os.fstat(3).st_mode), "the answers leave by descriptor 3"
    return look

main(load, int(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[Boxes]:
    """Makes sandboxes whose child runs ``body`` in place of looking: ``path``, ``text`` and ``out`` are at hand."""
    made: list[Sandbox] = []

    def make(body: str, deadline: float = 20.0, jobs: int = 100) -> Sandbox:
        program = tmp_path / f"stand_in_{len(made)}.py"
        program.write_text(STAND_IN.format(root=str(ROOT), body=body))
        made.append(Sandbox(deadline=deadline, jobs=jobs, command=(sys.executable, "-I", "-B", str(program))))
        return made[-1]

    yield make
    for box in made:
        box.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to look into."""
    path = tmp_path / "file"
    path.write_text("left")
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The one folder that a child may write into."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def peak(pid: int | None) -> int:
    """Bytes of resident memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def until(what: Callable[[], bool]) -> None:
    """Waits for ten seconds at most."""
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_real_files_are_looked_into_one_after_the_other(out: Path) -> None:
    """A JPEG, a PNG and an ECG, by one child that stays under 300 MB; the files made from them lie in the folder."""
    with Sandbox() as box:
        first = box.look(JPEG, "image/jpeg", "retinography", out)
        pid = box.pid
        second = box.look(PNG, "image/png", "retinography", out)
        third = box.look(ECG, "application/dicom", "ecg", out)
        assert box.pid == pid
        assert peak(pid) < MEMORY
    assert first.picture is not None
    assert second.picture is not None
    assert third.wave is not None
    assert (first.picture.width, second.picture.width, third.wave.length) == (1411, 102, 10_000)
    assert {each.name for each in out.iterdir()} == {first.picture.thumbnail, second.picture.thumbnail, third.wave.file}


def test_a_verdict_comes_through_as_it_was_given(file: Path, out: Path) -> None:
    """Reason and place; the child goes on."""
    with Sandbox() as box:
        with pytest.raises(Rejected) as verdict:
            box.look(file, "image/jpeg", "retinography", out)
        pid = box.pid
        assert box.look(PNG, "image/png", "retinography", out).picture
        assert box.pid == pid
    assert verdict.value.reason is Reason.BLOB_CONTENT_TYPE
    assert str(verdict.value.pointer).startswith("/image/blob")


FORBIDDEN = {
    "a socket": "socket.socket()",
    "a name on the network": "socket.getaddrinfo('localhost', 80)",
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "another program in its place": "os.execv('/bin/true', ['true'])",
    "a fork": "os.fork()",
    "a kill": "os.kill(os.getppid(), 0)",
    "a library": "ctypes.CDLL('libm.so.6')",
    "writing outside": "(out.parent / 'outside').write_text('x')",
    "writing outside by dots": "(out / '..' / 'outside').write_text('x')",
    "writing by descriptor": "os.open(out.parent / 'outside', os.O_CREAT | os.O_WRONLY)",
    "writing in its own folder": "open('outside', 'w')",
    "changing the file": "path.open('r+')",
    "removing the file": "path.unlink()",
    "moving it out": "((out / 'a').write_text('x'), (out / 'a').rename(out.parent / 'outside'))",
    "moving it in": "path.rename(out / 'a')",
    "a link": "(out / 'a').symlink_to(out.parent)",
    "a folder": "(out / 'a').mkdir()",
    "rights": "path.chmod(0o777)",
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_looking_never_needs_ends_the_child(name: str, boxes: Boxes, file: Path, out: Path) -> None:
    """Even where a parser would catch the exception; the file is refused, and nothing was changed."""
    box = boxes(f"try: {FORBIDDEN[name]}\n    except BaseException: pass")
    with pytest.raises(Rejected) as verdict:
        box.look(file, "image/png", "retinography", out)
    assert (verdict.value.reason, verdict.value.pointer) == (Reason.IMAGE_UNDECODABLE, "/image/blob")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("left", 0o644)
    assert not (out.parent / "outside").exists()


def test_what_looking_needs_is_allowed(boxes: Boxes, file: Path, out: Path) -> None:
    """Files are written, renamed and removed in the folder, and read from anywhere."""
    box = boxes("(out / 'a').write_text('x'); (out / 'a').rename(out / 'b'); (out / 'b').unlink()")
    assert box.look(file, "image/png", "retinography", out).eye == "left"


def test_the_environment_of_the_parent_is_not_the_child_s(
    boxes: Boxes, file: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings hold secrets."""
    monkeypatch.setenv("CONSTANTES_TOKEN", "secret")
    box = boxes("text = ' '.join(name for name in os.environ if 'CONSTANTES' in name)")
    assert not box.look(file, "image/png", "retinography", out).eye


def test_the_child_has_no_network_device_but_its_own_loop(boxes: Boxes, file: Path, out: Path) -> None:
    """It lives in a network namespace of its own."""
    box = boxes("text = Path('/proc/self/net/dev').read_text()")
    lines = str(box.look(file, "image/png", "retinography", out).eye).splitlines()[2:]
    if not box.isolated:
        pytest.skip("this kernel lets nobody leave the network: the audit hook stands alone")
    assert [line.split(":")[0].strip() for line in lines] == ["lo"]


@pytest.mark.parametrize(
    ("kind", "reason", "pointer"),
    [
        ("ecg", Reason.BLOB_UNDECODABLE, "/recording/blob"),
        ("retinography", Reason.IMAGE_UNDECODABLE, "/image/blob"),
    ],
)
@pytest.mark.parametrize(
    "body",
    ["os._exit(3)", "os.abort()", "text = bytearray(10**9)", "raise KeyError('x')", "raise RecursionError"],
    ids=["exit", "abort", "memory", "fault of a parser", "depth"],
)
def test_a_file_that_breaks_the_child_is_refused(
    kind: str, reason: Reason, pointer: str, body: str, boxes: Boxes, file: Path, out: Path
) -> None:
    """By what its kind calls undecodable; the next file is looked into as ever."""
    box = boxes(f"if text == 'left': {body}")
    with pytest.raises(Rejected) as verdict:
        box.look(file, "application/dicom", kind, out)
    assert (verdict.value.reason, verdict.value.pointer) == (reason, pointer)
    file.write_text("right")
    assert box.look(file, "application/dicom", kind, out).eye == "right"


@pytest.mark.parametrize("body", ["while True: pass", "time.sleep(1000)"], ids=["busy", "asleep"])
def test_a_file_that_takes_for_ever_is_refused(body: str, boxes: Boxes, file: Path, out: Path) -> None:
    """After the deadline, twice, whether the child is busy or asleep."""
    box = boxes(body, deadline=0.3)
    begun = time.monotonic()
    with pytest.raises(Rejected) as verdict:
        box.look(file, "image/png", "retinography", out)
    assert verdict.value.reason is Reason.IMAGE_UNDECODABLE
    assert time.monotonic() - begun < 10
    assert box.pid is None


def test_a_machine_too_busy_to_look_does_not_name_the_file(boxes: Boxes, file: Path, out: Path) -> None:
    """A child that is kept from the processor for ten times its deadline: the file waits, and is looked at later."""
    wait = "; time.sleep(0.01)\n    while text == 'left': pass"
    box = boxes(f"(out / 'begun').write_text('x'){wait}", deadline=0.3)
    said: list[BaseException] = []

    def look() -> None:
        try:
            box.look(file, "image/png", "retinography", out)
        except (Rejected, SandboxUnavailable) as fault:
            said.append(fault)

    looking = threading.Thread(target=look)
    looking.start()
    until((out / "begun").exists)
    assert box.pid is not None
    os.kill(box.pid, signal.SIGSTOP)
    looking.join(10)
    assert [type(fault) for fault in said] == [SandboxUnavailable]
    file.write_text("right")
    assert box.look(file, "image/png", "retinography", out).eye == "right"


def test_the_child_gives_way_to_everything(boxes: Boxes, file: Path, out: Path) -> None:
    """It has the lowest priority there is, so that nobody's receipt waits for a file."""
    box = boxes("")
    box.look(file, "image/png", "retinography", out)
    assert box.pid is not None
    assert os.getpriority(os.PRIO_PROCESS, box.pid) == 19


def test_memory_is_bounded_by_the_kernel(boxes: Boxes, file: Path, out: Path) -> None:
    """However it is asked for: 150 MB are had, 400 MB are not, and the peak stays under 300 MB."""
    box = boxes("block = bytearray(int(text) * 1_000_000); text = 'had'")
    file.write_text("150")
    assert box.look(file, "image/png", "retinography", out).eye == "had"
    assert peak(box.pid) < MEMORY
    file.write_text("400")
    with pytest.raises(Rejected):
        box.look(file, "image/png", "retinography", out)


def test_one_kill_from_outside_does_not_name_the_file(boxes: Boxes, file: Path, out: Path) -> None:
    """An operator, or a machine out of memory, ends the child in the middle of a job: a fresh one does it again."""
    box = boxes("(out / 'begun').write_text('x') if not (out / 'begun').exists() else None\n    time.sleep(0.5)")
    found: list[str | None] = []
    looking = threading.Thread(target=lambda: found.append(box.look(file, "image/png", "retinography", out).eye))
    looking.start()
    until((out / "begun").exists)
    first = box.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    looking.join(10)
    assert found == ["left"]
    assert box.pid not in {None, first}


def test_a_child_killed_between_jobs_is_replaced(boxes: Boxes, file: Path, out: Path) -> None:
    """Nobody notices."""
    box = boxes("pass")
    assert box.look(file, "image/png", "retinography", out).eye == "left"
    first = box.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert box.look(file, "image/png", "retinography", out).eye == "left"
    assert box.pid != first


def test_a_child_is_replaced_after_so_many_jobs(boxes: Boxes, file: Path, out: Path) -> None:
    """No file's traces last."""
    box = boxes("text = str(os.getpid())", jobs=2)
    pids = [box.look(file, "image/png", "retinography", out).eye for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


@pytest.mark.parametrize(
    "body",
    [
        "return Found(picture=Picture(1, 1, 8, '../../etc/passwd'))",
        "return Found(picture=Picture(1, 1, 8, 64 * 'a'))",
        "os.write(3, b'nonsense\\n')",
        "os.write(3, b'[]\\n')",
        'os.write(3, b\'{"rejected": "x", "pointer": null}\\n\')',
        'os.write(3, b\'{"found": "{}"}\\n\' * 2)',
        "while True: os.write(3, bytes(65_536))",
        "os.write(3, b'[' * 900_000 + b'\\n')",
    ],
    ids=["path", "absent file", "no JSON", "no object", "no reason", "two answers", "endless", "deep"],
)
def test_an_answer_that_cannot_be_believed_is_the_file_s_fault(body: str, boxes: Boxes, file: Path, out: Path) -> None:
    """A child that a file took over gives the parent no path, and no answer for the next file."""
    begun = time.monotonic()
    with pytest.raises(Rejected) as verdict:
        boxes(body).look(file, "image/png", "retinography", out)
    assert verdict.value.reason is Reason.IMAGE_UNDECODABLE
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO", "EACCES"])
def test_a_full_disk_blames_no_file(fault: str, boxes: Boxes, file: Path, out: Path) -> None:
    """The machine's faults are told as such, to be tried again."""
    box = boxes(f"import errno; raise OSError(errno.{fault}, 'x')")
    with pytest.raises(SandboxUnavailable, match=fault):
        box.look(file, "image/png", "retinography", out)


@pytest.mark.parametrize(
    "command",
    [
        ("/no/such/python",),
        (sys.executable, "-c", "raise SystemExit(5)"),
        (sys.executable, "-c", "print('{}')"),
        (sys.executable, "-c", 'print(\'{"hindered": "ImportError: numpy"}\')'),
    ],
    ids=["no program", "exit", "not ready", "no library"],
)
def test_a_child_that_cannot_start_blames_no_file(command: tuple[str, ...], file: Path, out: Path) -> None:
    """A fault of the installation says what is safe and what to do."""
    with Sandbox(command=command) as box:
        with pytest.raises(SandboxUnavailable, match="The files are kept"):
            box.look(file, "image/png", "retinography", out)
        assert box.pid is None


def test_a_file_that_is_not_there_blames_no_file(tmp_path: Path, out: Path) -> None:
    """The caller has to find it."""
    with Sandbox() as box, pytest.raises(SandboxUnavailable):
        box.look(tmp_path / "absent", "image/png", "retinography", out)


def test_closing_ends_a_job_at_once(boxes: Boxes, file: Path, out: Path) -> None:
    """The one who waits is told that nothing was found out."""
    box = boxes("(out / 'begun').write_text('x'); time.sleep(1000)", deadline=60)
    told: list[str] = []

    def look() -> None:
        try:
            box.look(file, "image/png", "retinography", out)
        except SandboxUnavailable as fault:
            told.append(fault.fact)

    looking = threading.Thread(target=look)
    looking.start()
    until((out / "begun").exists)
    box.close()
    looking.join(10)
    assert told == ["it was closed"]
    with pytest.raises(SandboxUnavailable):
        box.look(file, "image/png", "retinography", out)


def test_the_child_does_not_outlive_its_parent(tmp_path: Path, file: Path, out: Path) -> None:
    """Though the parent was killed while the child was at work."""
    program = tmp_path / "stand_in.py"
    program.write_text(
        STAND_IN.format(root=str(ROOT), body="(out / 'pid').write_text(str(os.getpid())); time.sleep(1000)")
    )
    parent = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from ingest.sandbox import Sandbox
Sandbox(command=(sys.executable, "-I", "-B", {str(program)!r})).look(Path({str(file)!r}), "", "ecg", Path({str(out)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        until(lambda: (out / "pid").exists() and bool((out / "pid").read_text()))
        process.kill()
    child = int((out / "pid").read_text())
    until(lambda: not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text())


def test_a_picture_says_what_it_is(out: Path) -> None:
    """The child tells the very noun that looking gives."""
    with Sandbox() as box:
        found = box.look(PNG, "image/png", "retinography", out)
    assert found.picture is not None
    assert found.picture == Picture(102, 102, 8, found.picture.thumbnail)
