"""Random edits under load end in what the files say, with every run completed."""

from __future__ import annotations

import pytest

from tests.acceptance.edits import edit_all


@pytest.mark.parametrize("seed", [7, 8])
def test_random_edits_while_runs_are_started_end_in_what_the_files_say(tmp_path, seed):
    edit_all(tmp_path, edits=60, seed=seed, tell=print)
