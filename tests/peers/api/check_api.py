"""Runs schemathesis against a server: check_api.py WORK OPENAPI ST SERVE_JSON.

schemathesis makes requests from the file, right and wrong ones, and checks that each answer is one that the file
describes. Left to itself it would only meet "not found", so it is told of a model, a run and simulations that exist.
"""
import pathlib
import subprocess
import sys

import yaml
from client import Api


def narrowed(path, model):
    """The file, with the names that this server knows where anything is allowed."""
    schema = yaml.safe_load(pathlib.Path(path).read_text(encoding="utf-8"))
    request = schema["components"]["schemas"]["SimulationRequest"]["properties"]
    request["model"]["enum"] = [model]
    request["instrument"]["enum"] = ["EURUSD"]
    request["freq"]["enum"] = ["60min"]
    return schema


def main():
    work, openapi, st, serve_json = sys.argv[1:]
    work = pathlib.Path(work)
    api = Api(serve_json)
    model = api.get("/models")["models"][0]
    version = model["versions"][0]
    first = api.simulate(model=version["reference"])
    other = api.simulate(model=version["reference"], what_if={"spread": 2})
    (work / "openapi.yaml").write_text(yaml.safe_dump(narrowed(openapi, version["reference"])), encoding="utf-8")
    # A simulation is forgotten when there are too many, so those that others need must stay: deleting one and starting
    # many are told apart.
    (work / "schemathesis.toml").write_text(f"""
[parameters]
"path.symbol" = "EURUSD"
"path.freq" = "60min"
"path.name" = "{model['name']}"
"path.version" = 1
"path.id" = "{first}"
"path.other" = "{other}"
"path.run_id" = "{version['run_id']}"
run = ["{version['run_id']}", "{version['run_id']}"]

[[operations]]
include-operation-id = "deleteSimulation"
parameters = {{ "path.id" = "0123456789abcdef" }}

[[operations]]
include-operation-id = "startSimulation"
generation.max-examples = 10
""", encoding="utf-8")
    command = [st, "--config-file", str(work / "schemathesis.toml"), "run", str(work / "openapi.yaml"),
               "--url", api.base + "api/v1", "--header", f"Authorization: Bearer {api.token}",
               "--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "20261125",
               "--exclude-checks", "positive_data_acceptance", "--workers", "1",
               "--request-timeout", "20", "--continue-on-failure", "--no-color", "--warnings", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd=work)
    tail = done.stdout[-6000:]
    print(tail if done.returncode else "\n".join(tail.splitlines()[-12:]))
    if done.returncode:
        print(done.stderr[-2000:])
        sys.exit(1)


main()
