"""A PostgreSQL server of one's own: in a temporary folder, on a Unix socket, without any care for its data."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self


def is_installed() -> bool:
    """Whether this machine has what it takes to run one."""
    try:
        programs = Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
    except (OSError, subprocess.CalledProcessError):
        return False
    return (programs / "postgres").exists() and (programs / "initdb").exists()


class Server:
    """`with Server() as server:` runs one, to connect to with `server.dsn`. PostgreSQL refuses to run as root; for root
    it runs as the user that its package has made."""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.programs = Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
        self.folder = Path(tempfile.mkdtemp(prefix="isthmus-postgres-"))
        self.dsn = f"host={self.folder} dbname=postgres user=tests"
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        try:
            initdb = ["initdb", "--no-sync", "--auth=trust", "--username=tests", "--encoding=UTF8", "--locale=C.UTF-8"]
            self.start_program(*initdb, "-D", str(self.folder / "data")).wait()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def start_program(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(self.programs / name), *arguments]
        user = "postgres" if os.geteuid() == 0 else None
        # What the environment says to a client, or to the one that starts this, is not for the server.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "LD_PRELOAD"}
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                user=user,
                group=user,
                extra_groups=user and [],
            )

    def start(self) -> None:
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "fsync": "off"}
        settings |= {"max_connections": "150", "shared_buffers": "16MB", "timezone": "UTC"}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = self.start_program("postgres", "-D", str(self.folder / "data"), *arguments, *self.options)
        status = self.folder / "data" / "postmaster.pid"
        deadline = time.monotonic() + 60
        while not (status.exists() and "ready" in status.read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends it as an administrator would who is in a hurry: who is connected is told so."""
        self.end(signal.SIGINT)

    def kill(self) -> None:
        """Ends it at once."""
        self.end(signal.SIGQUIT)

    @staticmethod
    def pause(pid: int) -> None:
        """Has the process that serves a connection do nothing more."""
        os.kill(pid, signal.SIGSTOP)

    @staticmethod
    def resume(pid: int) -> None:
        os.kill(pid, signal.SIGCONT)

    def end(self, by: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait(60)
            self.process = None
