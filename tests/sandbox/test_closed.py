# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's program cannot do behind the fence: signal, stay, talk, or look elsewhere."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from patchgen.sandbox import child, fence, landlock, syscalls
from patchgen.sandbox.fence import closed
from tests.series.conftest import plain_git

pytestmark = pytest.mark.needs("perl", "Landlock")

#: What of a kernel does it: filters alone (Landlock before 6.7), or Landlock alone.
WAYS = [
    *(["filter"] if syscalls.refusing() is not None else []),
    *(["scopes"] if landlock.version() >= 6 else []),
]


@pytest.fixture(params=WAYS)
def kernel(request, monkeypatch):
    """A kernel that has one of the two ways."""
    if request.param == "filter":
        monkeypatch.setattr(landlock, "version", lambda: 1)
    else:
        monkeypatch.setattr(syscalls, "refusing", lambda: None)
    return request.param


def perl(tmp_path, script):
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    with closed([], work, 20) as fence:
        assert fence is not None
        env = {"PATH": os.environ["PATH"], "HOME": str(work), "GIT_CONFIG_NOSYSTEM": "1"}
        words = ["perl", "-e", script]
        return child.answer(words, seconds=20, cwd=work, env=env, first=fence)


@pytest.fixture
def bystander():
    """A process of the same user, and of another group."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    ) as process:
        yield process
        process.kill()


def test_no_signal_reaches_a_process_outside(tmp_path, bystander, kernel):
    ways = (
        f"kill 9, {bystander.pid}",
        f"kill -9, {bystander.pid}",
        f"kill 'KILL', {bystander.pid}",
        f"syscall(62, {bystander.pid}, 9); syscall(129, {bystander.pid}, 9)",
        f"exec 'sh', '-c', 'kill -9 {bystander.pid}'",
        f"kill 15, getppid; kill 0, {bystander.pid} and print 'reached'",
    )
    for way in ways:
        assert perl(tmp_path, way).out == b""
    time.sleep(0.1)
    assert bystander.poll() is None


def test_what_it_starts_ends_with_it(tmp_path):
    script = (
        "use POSIX; $| = 1; my $pid = fork;"
        "if (!$pid) { POSIX::setsid(); POSIX::setpgid(0, 0); if (!fork) { sleep 60 } sleep 60 }"
        "print $pid; sleep 1"
    )
    done = perl(tmp_path, script)
    pid = int(done.out)
    for _ in range(50):
        if has_ended(pid):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("a process outlived its program")


def has_ended(pid):
    """Also where nobody waits for it: whoever is the first process may not do that."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_has_no_network(tmp_path, kernel, monkeypatch):
    """Not where namespaces cannot be had, either."""
    monkeypatch.setattr(fence, "_CLONE_NEWUSER", 0)
    monkeypatch.setattr(fence, "_CLONE_NEWNET", 0)
    script = (
        "use Socket; my ($s, $u); my $to = sockaddr_in(%d, INADDR_LOOPBACK);"
        "print 'tcp ' if socket($s, PF_INET, SOCK_STREAM, 0) and connect($s, $to);"
        "print 'udp' if socket($u, PF_INET, SOCK_DGRAM, 0) and send($u, 'x', 0, $to);"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = perl(tmp_path, script % server.getsockname()[1]).out
        assert said == (b"" if kernel == "filter" else b"udp")  # Landlock knows TCP alone
        plain = subprocess.run(
            ["perl", "-e", script % server.getsockname()[1]], capture_output=True, check=False
        )
        assert plain.stdout == b"tcp udp"


def test_git_and_perl_work_there(tmp_path):
    repository = tmp_path / "work"
    repository.mkdir()
    plain_git(repository, "init", "-q")
    (repository / "a").write_text("x")
    plain_git(repository, "add", ".")
    plain_git(repository, "commit", "-qm", "x")
    done = perl(tmp_path, "use POSIX; use File::Temp; print `git --git-dir .git log --oneline`")
    assert done.out.endswith(b" x\n"), done


def test_its_processes_are_counted(tmp_path, monkeypatch):
    """In a namespace of users, where one can be had: else the user's others would count."""
    monkeypatch.setattr(syscalls, "refusing", lambda: None)  # else no limit can be asked for
    for namespaces in (True, False):
        if not namespaces:
            monkeypatch.setattr(fence, "_CLONE_NEWUSER", 1)  # no flag of a namespace
        reader, writer = os.pipe()
        with closed([], tmp_path, 20) as enter:
            if (pid := os.fork()) == 0:
                enter()
                os.write(writer, b"%d" % resource.getrlimit(resource.RLIMIT_NPROC)[0])
                os._exit(0)
        os.waitpid(pid, 0)
        said = int(os.read(reader, 100))
        os.close(reader)
        os.close(writer)
        usual = resource.getrlimit(resource.RLIMIT_NPROC)[0]
        had = subprocess.run(["unshare", "-U", "true"], capture_output=True, check=False)
        assert said == (64 if namespaces and had.returncode == 0 else usual)
