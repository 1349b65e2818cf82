from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

from engine.cli.streams import result_apart

#: Each number is followed by a signal, which comes when the number has been read: often before who
#: wrote it has counted what it wrote.
COUNTING = """\
import sys, time
from engine.cli.streams import mend
mend()
for number in range(200):
    try:
        print(number, flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        pass
"""


def test_only_the_result_goes_to_stdout_whoever_else_writes(capfd, monkeypatch):
    stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
    monkeypatch.setattr(sys, "stdout", stdout)
    with result_apart() as result:
        print("printed")
        os.write(1, b"raw\n")
        subprocess.run(["echo", "by a child"], check=True)
        result.write("the result\n")
    os.write(1, b"afterwards\n")
    out, err = capfd.readouterr()
    assert out == "the result\nafterwards\n"
    assert err.splitlines() == ["printed", "raw", "by a child"]


def test_a_stdout_without_a_descriptor_serves_too(capsys):
    with result_apart() as result:
        print("printed")
        result.write("the result\n")
    assert capsys.readouterr() == ("the result\n", "printed\n")


def test_a_signal_that_raises_while_a_line_is_written_does_not_write_it_again():
    read = []
    with subprocess.Popen([sys.executable, "-c", COUNTING], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            read.append(int(line))
            process.send_signal(signal.SIGINT)
    assert read == list(range(200))
