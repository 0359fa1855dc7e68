"""Looks at what MLflow's own web pages show of a training, in a headless Chromium; leaves screenshots.

    check_ui.py URL RUN_ID MODEL FOLDER

The run is the one that check_mlflow.py made. Pages are found by their address, parts of them by MLflow's own component
names: another version of MLflow may need other ones.
"""

import sys
import tempfile
from pathlib import Path

import mlflow
from browser import Browser


def ok(what: str) -> None:
    print(f"ok  {what}", flush=True)


def close_assistant(page: Browser) -> None:
    page.click('[data-component-id="mlflow.assistant.chat_panel.close"]')


def look_at_run(page: Browser, site: str, run_id: str, agents: list[str], folder: Path) -> None:
    page.open(f"{site}runs/{run_id}")
    page.wait_for("quickstart-EURUSD", "Finished", "Child runs", *agents, "verdict", "bars_sha256", "out of sample")
    close_assistant(page)
    page.wait_for("net_profit", "max_drawdown", "learning_rate", "quickstart-eurusd")
    page.screenshot(folder / "mlflow_run.png")
    ok("the run's page: status, nested runs, verdict, metrics, parameters, its registered model")


def look_at_curves(page: Browser, site: str, agents: list[str], folder: Path) -> None:
    page.open(f"{site}runs?compareRunsMode=CHART")
    page.wait_for("quickstart-EURUSD", f"{len(agents) + 1} matching runs")
    page.click('button[data-component-id*="runs_cells_runnamecellrenderer"]')
    page.wait_for(*agents)
    page.type_into('input[placeholder="Search metric charts"]', "rollout/ep_rew_mean")
    # Each agent is a line of the chart that has as many points as it logged.
    page.wait_until(f"document.querySelectorAll('.scatterlayer .trace').length >= {len(agents)}", "a line for each agent")
    page.wait_for("rollout")
    page.screenshot(folder / "mlflow_curves.png")
    ok("nested runs below their parent, and a learning curve of each")


def look_at_model(page: Browser, url: str, model: str, folder: Path) -> None:
    page.open(f"{url}/#/models/{model}/versions/1")
    page.wait_for("Version 1", "Source Run", "quickstart-EURUSD", "champion", "verdict", "Inputs (1)", "Outputs (3)")
    page.screenshot(folder / "mlflow_model.png")
    page.open(f"{url}/#/models/{model}")
    page.wait_for(model, "Version 1", "champion")
    ok("the registered model: version 1, champion, its run, its signature")


def main() -> None:
    url, run_id, model, folder = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(url)
    client = mlflow.MlflowClient()
    experiment = client.get_run(run_id).info.experiment_id
    nested = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'")
    agents = sorted(run.info.run_name for run in nested)
    site = f"{url}/#/experiments/{experiment}/"
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile, Browser(Path(profile)) as page:
        look_at_run(page, site, run_id, agents, folder)
        look_at_curves(page, site, agents, folder)
        look_at_model(page, url, model, folder)
        assert not page.console, f"scripts of the pages failed: {page.console[:3]}"


if __name__ == "__main__":
    main()
