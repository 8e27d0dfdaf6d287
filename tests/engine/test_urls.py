"""Runs behind URLs: told apart where they fail, no secret told, nothing waited for for ever."""

from __future__ import annotations

import gzip
import http.server
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from brainsieve.engine.source import open_source, read_all, streams
from brainsieve.engine.source.remote import CONNECT_TIMEOUT, READ_TIMEOUT, local_path, redacted, seconds_of
from brainsieve.exceptions import CorruptImageError, MissingFileError

AFFINE = np.diag([3.0, 3, 4, 1])
# Longer than any test waits: what stalls is to be ended by what is tested.
STALL_SECONDS = 20.0


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def run_bytes() -> bytes:
    data = np.random.default_rng(0).integers(0, 30000, (20, 20, 20, 9)).astype(np.int16)
    return nib.Nifti1Image(data, AFFINE).to_bytes()


def rows() -> np.ndarray:
    return np.frombuffer(run_bytes()[352:], "<i2").reshape(9, -1)


@contextmanager
def serving(answer: Callable[[Any], None]) -> Iterator[str]:
    """A server on the loopback address; gives where it is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(OSError):  # whom it answers has gone
                answer(self)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def gives(
    content: bytes, length: int | None = None, then: Callable[[], None] = lambda: None
) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)
        handler.wfile.flush()
        then()

    return answer


def status(code: int) -> Callable[[Any], None]:
    return lambda handler: handler.send_error(code)


def stall() -> None:
    time.sleep(STALL_SECONDS)


@pytest.mark.parametrize("packed", [False, True])
def test_a_run_is_read_while_it_downloads(packed):
    content = gzip.compress(run_bytes()) if packed else run_bytes()
    with serving(gives(content)) as where:
        source = open_source(f"http://{where}/run.nii{'.gz' if packed else ''}?version=3")
        assert_array_equal(read_all(source), rows())
        assert source.name.endswith("?version=3")


def test_a_password_is_sent_and_not_told():
    seen = []

    def answer(handler):
        seen.append(handler.headers.get("Authorization"))
        gives(run_bytes())(handler)

    with serving(answer) as where:
        source = open_source(f"http://me:s%20cret@{where}/run.nii?token=t0p#frag")
        assert_array_equal(read_all(source), rows())
    assert set(seen) == {"Basic bWU6cyBjcmV0"}  # base64 of "me:s cret"
    assert source.name == source.path == f"http://***@{where}/run.nii?token=***#***"


@pytest.mark.parametrize(
    "code, words", [(401, "401.*password or token"), (403, "403"), (500, "500"), (429, "429")]
)
def test_the_status_is_told(code, words):
    with serving(status(code)) as where, pytest.raises(ValueError, match=f"run.nii.*{words}") as caught:
        open_source(f"http://me:secret@{where}/run.nii?sig=abc")
    assert not isinstance(caught.value, FileNotFoundError)
    assert "secret" not in str(caught.value) and "abc" not in str(caught.value)


@pytest.mark.parametrize("code", [404, 410])
def test_what_is_not_there_is_a_missing_file(code):
    with serving(status(code)) as where, pytest.raises(MissingFileError, match=f"File not found.*{code}"):
        open_source(f"http://{where}/run.nii")


def test_a_host_that_is_unknown_is_told(monkeypatch):
    def lookup(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(ValueError, match=r"no such host 'nowhere\.invalid'"):
        open_source("https://nowhere.invalid/run.nii.gz")


def test_a_refused_connection_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ValueError, match="refused the connection"):
        open_source(f"http://127.0.0.1:{port}/run.nii")


def test_what_is_no_tls_is_told():
    with serving(gives(run_bytes())) as where, pytest.raises(ValueError, match="no secure connection.*TLS"):
        open_source(f"https://{where}/run.nii")


def test_silence_instead_of_an_answer_ends(monkeypatch):
    monkeypatch.setenv(READ_TIMEOUT[0], "0.3")
    with serving(lambda _: stall()) as where, pytest.raises(ValueError, match="did not answer in time.*=0.3"):
        open_source(f"http://{where}/run.nii")


@pytest.mark.parametrize("sent", [100, 10000])
@pytest.mark.parametrize("packed", [False, True])
def test_silence_among_the_data_ends(sent, packed, monkeypatch):
    monkeypatch.setenv(READ_TIMEOUT[0], "0.3")
    content = gzip.compress(run_bytes()) if packed else run_bytes()
    with serving(gives(content[:sent], len(content), stall)) as where:
        with pytest.raises(CorruptImageError, match=r"run\.nii broke off at byte \d+: no data for 0.3 s"):
            read_all(open_source(f"http://{where}/run.nii"))


def test_the_timeouts_are_an_option(monkeypatch):
    assert (seconds_of(CONNECT_TIMEOUT), seconds_of(READ_TIMEOUT)) == (30, 60)
    monkeypatch.setenv(CONNECT_TIMEOUT[0], "2.5")
    assert seconds_of(CONNECT_TIMEOUT) == 2.5
    for wrong in ("soon", "-1", "0", "inf", "nan"):
        monkeypatch.setenv(READ_TIMEOUT[0], wrong)
        with pytest.raises(ValueError, match=f"{READ_TIMEOUT[0]} must be a number of seconds.*{wrong}"):
            seconds_of(READ_TIMEOUT)


def test_the_time_to_connect_is_that_of_connecting(monkeypatch):
    monkeypatch.setenv(CONNECT_TIMEOUT[0], "0.25")
    tried = []

    def connect(address, timeout=None, *_: Any, **__: Any):
        tried.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(ValueError, match="did not answer in time"):
        open_source("http://127.0.0.1:9/run.nii")
    assert tried == [0.25]


def test_data_behind_what_the_header_promises_are_not_read_for_ever(monkeypatch):
    monkeypatch.setattr("brainsieve.engine.source.file.MOST_BEHIND", 2**16)
    monkeypatch.setattr(streams, "SKIPPED_AT_ONCE", 2**14)
    sent = [0]

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        packer = io.BytesIO()
        with gzip.GzipFile(fileobj=packer, mode="wb") as packed:
            packed.write(run_bytes())
        handler.wfile.write(packer.getvalue())
        more = gzip.compress(b"\0" * 2**16, 0)
        while sent[0] < 2**28:  # a bound, so that what is broken fails
            handler.wfile.write(more)
            sent[0] += len(more)

    with serving(answer) as where, pytest.raises(CorruptImageError, match="goes on behind its data"):
        read_all(open_source(f"http://{where}/run.nii.gz"))
    assert sent[0] < 2**28


def test_of_what_is_not_packed_no_more_is_read_than_promised():
    with serving(gives(run_bytes(), 10**12, stall)) as where:
        assert_array_equal(read_all(open_source(f"http://{where}/run.nii")), rows())


def test_a_header_that_promises_more_than_the_url_has_is_refused():
    with serving(gives(run_bytes()[:5000])) as where:
        with pytest.raises(CorruptImageError, match=r"run\.nii is truncated: its header promises"):
            open_source(f"http://{where}/run.nii")


def test_a_page_instead_of_an_image_is_no_nifti():
    with serving(gives(b"<html>Log in first</html>" * 40)) as where:
        with pytest.raises(CorruptImageError, match=r"run\.nii.*is no NIfTI"):
            open_source(f"http://{where}/run.nii")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("sent", [0, 100, 10000])
def test_the_first_interrupt_ends_a_stalled_read(sent, tmp_path):
    script = tmp_path / "read.py"
    script.write_text(
        "import sys\n"
        "from brainsieve.engine.source import open_source, read_all\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    read_all(open_source(sys.argv[1]))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    reached = threading.Event()
    content = run_bytes()

    def answer(handler):
        if sent:
            gives(content[:sent], len(content), reached.set)(handler)
        reached.set()
        stall()

    with serving(answer) as where:
        child = subprocess.Popen(
            [sys.executable, str(script), f"http://{where}/run.nii"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "no_proxy": "*"},
        )
        try:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
            assert reached.wait(30)
            time.sleep(0.3)  # for it to be in the read
            child.send_signal(signal.SIGINT)
            assert child.wait(STALL_SECONDS / 2) == 0
            assert child.stdout.read() == "interrupted\n"
        finally:
            child.kill()
            child.wait()


SECRETS = {
    "https://me:pass@host.org/run.nii.gz": "https://***@host.org/run.nii.gz",
    "https://token@host.org/run.nii.gz": "https://***@host.org/run.nii.gz",
    "https://me:p@ss@host.org:8080/run.nii": "https://***@host.org:8080/run.nii",
    "https://host.org:8080/ds@1.0/run.nii": "https://host.org:8080/ds@1.0/run.nii",
    "https://host.org/ds@1.0/run.nii": "https://host.org/ds@1.0/run.nii",
    "https://me:pa/ss@host.org/run.nii": "https://***@host.org/run.nii",
    "https://host.org/r.nii?X-Amz-Signature=abc&versionId=7": "https://host.org/r.nii?X-Amz-Signature=***&versionId=7",
    "https://host.org/r.nii?abc": "https://host.org/r.nii?***",
    "https://host.org/r.nii#access_token=abc": "https://host.org/r.nii#***",
    "simplecache::https://me:pass@host.org/r.nii": "simplecache::https://***@host.org/r.nii",
    "s3://key:secret@bucket/r.nii": "s3://***@bucket/r.nii",
    "memory://run.nii": "memory://run.nii",
    "/data/me:x@y/run.nii?token=1": "/data/me:x@y/run.nii?token=1",
}


@pytest.mark.parametrize("url, shown", SECRETS.items())
def test_what_lets_somebody_in_is_struck_out(url, shown):
    assert redacted(url) == shown
    assert redacted(shown) == shown


def test_other_protocols_tell_no_secret_either(monkeypatch):
    fsspec = pytest.importorskip("fsspec")

    def fails(url: str, *_: Any, **__: Any) -> Any:
        raise RuntimeError(f"no answer from {url} (see {url}&again=1)")

    monkeypatch.setattr(fsspec, "open", fails)
    with pytest.raises(ValueError, match=r"cannot be opened: RuntimeError") as caught:
        open_source("s3://key:secret@bucket/r.nii?token=abc")
    assert "secret" not in str(caught.value) and "abc" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_file_url_is_a_path(tmp_path: Path):
    assert local_path((tmp_path / "a b.nii").as_uri()) == str(tmp_path / "a b.nii")
    assert local_path("https://host/x.nii") is None


def test_a_password_is_not_sent_on_to_where_a_redirection_leads():
    seen = []

    def answer(handler):
        seen.append(handler.headers.get("Authorization"))
        gives(run_bytes())(handler)

    with serving(answer) as target:

        def moved(handler):
            handler.send_response(302)
            handler.send_header("Location", f"http://{target}/run.nii")
            handler.end_headers()

        with serving(moved) as where:
            assert_array_equal(read_all(open_source(f"http://me:secret@{where}/run.nii")), rows())
    assert set(seen) == {None}
