"""`python -m examples.demo` when it cannot work."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_stack_that_does_not_start_fails_the_demo_with_the_end_of_its_log(tmp_path):
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "somebody-elses-file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo", "--data", str(tmp_path), "--port", "0"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 1
    assert "The demo failed" in done.stderr
    assert "somebody-elses-file" in done.stderr
    assert "Traceback" not in done.stderr
