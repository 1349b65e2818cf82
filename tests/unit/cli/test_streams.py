from __future__ import annotations

import io
import os
import subprocess
import sys

from engine.cli.streams import result_apart


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
