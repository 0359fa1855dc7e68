"""A server that asks for user and password: what our program says without and with them.

    check_auth.py TRADEWIND URL WORK USER PASSWORD
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    binary, url, work, user, password = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4], sys.argv[5]
    store = work / "auth-store"

    def tradewind(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "TRADEWIND_"))}
        return subprocess.run([binary, *arguments, "--store", str(store), "--json"], capture_output=True, text=True,
                              timeout=120, env={**clean, "MLFLOW_TRACKING_URI": url, **environment})

    for wrong in ({}, {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": "wrong-password-9"}):
        done = tradewind("models", "list", **wrong)
        assert done.returncode == 4, (done.returncode, done.stdout, done.stderr)
        assert "401" in done.stderr and "MLFLOW_TRACKING_USERNAME" in done.stderr, done.stderr
        assert "wrong-password-9" not in done.stderr + done.stdout
    right = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
    done = tradewind("models", "list", **right)
    assert done.returncode == 0 and json.loads(done.stdout) == [], (done.returncode, done.stdout, done.stderr)
    print("ok  passwords: 401 is said with what to set, the right ones are let in")


if __name__ == "__main__":
    main()
