"""What lies in a spool's folder while others work there."""

from __future__ import annotations

import subprocess
import sys

from leaflab.tracking.spool import found

BUSY = """
import sys
from pathlib import Path
from leaflab.tracking.spool import Spool
print("ready", flush=True)
while True:
    for spool in [Spool.create(Path(sys.argv[1]), {"run_id": "r"}) for _ in range(20)]:
        spool.close(remove=True)
"""


def test_spools_that_others_end_meanwhile_are_passed_over(tmp_path):
    busy = subprocess.Popen([sys.executable, "-c", BUSY, str(tmp_path)], stdout=subprocess.PIPE)
    assert busy.stdout is not None and busy.stdout.readline()
    try:
        assert [list(found(tmp_path)) for _ in range(500)] == [[]] * 500
    finally:
        busy.kill()
        busy.communicate()
