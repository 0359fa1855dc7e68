"""Real optuna-dashboard shows a study of ours in headless Chromium.

    check_dashboard.py DRIVER WORK SCREENSHOT
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

DRIVER, WORK, SCREENSHOT = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]).resolve()
STUDY = "tradewind example"
START_SECONDS_MAX = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_for(url):
    end = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            return get(url)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def chromium(profile, *words):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "no Chromium (Debian package chromium)"
    # A browser in a test talks to nobody but the page: without these it looks for updates and accounts.
    quiet = ["--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--no-sandbox",
             f"--user-data-dir={profile}", "--window-size=1400,1700", "--virtual-time-budget=20000"]
    done = subprocess.run([program, *quiet, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def main():
    url = f"sqlite:///{WORK}/dashboard.db"
    for words in (["create", url, STUDY], ["run", url, STUDY, "trials=80", "seed=3"]):
        subprocess.run([DRIVER, *words], check=True, stdout=subprocess.DEVNULL, timeout=120)
    port = free_port()
    dashboard = subprocess.Popen([str(pathlib.Path(sys.executable).parent / "optuna-dashboard"), url, "--host", "127.0.0.1",
                                  "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 start_new_session=True)
    try:
        root = f"http://127.0.0.1:{port}"
        studies = wait_for(f"{root}/api/studies")["study_summaries"]
        assert [s["study_name"] for s in studies] == [STUDY], studies
        study = studies[0]["study_id"]
        detail = get(f"{root}/api/studies/{study}?after=0")
        trials = detail["trials"]
        assert [t["number"] for t in trials] == list(range(80))
        assert {p["name"] for p in trials[0]["params"]} == {"x", "n", "width", "kind"}
        assert all("constraints" in t for t in trials)
        page = chromium(WORK / "profile", "--dump-dom", f"{root}/dashboard/studies/{study}")
        for text in (STUDY, "History", "Hyperparameter Importance", "Best Trial"):
            assert text in page, f"the dashboard's page does not show '{text}'"
        chromium(WORK / "profile", f"--screenshot={SCREENSHOT}", f"{root}/dashboard/studies/{study}")
        assert SCREENSHOT.stat().st_size > 20_000, "the picture is empty"
    finally:
        os.killpg(dashboard.pid, signal.SIGTERM)
        dashboard.wait(timeout=30)
    print("optuna-dashboard in Chromium ok")


if __name__ == "__main__":
    main()
