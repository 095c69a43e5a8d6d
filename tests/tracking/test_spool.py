"""What lies in a spool's folder while others work there."""

from __future__ import annotations

import shutil
import subprocess
import sys

from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local
from leaflab.tracking.spool import found
from leaflab.values import Metric

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


def test_half_a_line_of_a_dead_process_holds_up_nobody(tmp_path, store_template):
    shutil.copy(store_template, tmp_path / "mlflow.db")
    code = (
        "import os, sys; from pathlib import Path; from leaflab.tracking.local import Local;"
        "from leaflab.tracking.base import RunSpec; from leaflab.values import Metric;"
        "run = Local(home=Path(sys.argv[1])).start(RunSpec('toy', 'sweep', 's', 'key')); run.log([Metric('a', 1.0)]);"
        'spool = run._spool; spool._append(b\'{"log": {"par\', spool._size); os.kill(os.getpid(), 9)'
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    tracking = Local(home=tmp_path)
    with tracking.start(RunSpec("toy", "sweep", "s", "key")) as run:
        run.log([Metric("b", 2.0)])
        assert tracking.projector.flush()
    assert tracking.get(run.id).metrics == {"a": 1.0, "b": 2.0}
