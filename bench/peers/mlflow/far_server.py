"""Stands for an MLflow server on another machine: takes runs, points and files like one, and costs this machine next to nothing.

    far_server.py PORT

For what logging costs the machine that trains; what a real server does with the points is measured with a real one.
Whatever else is asked for gets 503, upon which it waits in the spool. GET /points: how many it was given.
"""

import json
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EXPERIMENT = {"experiment_id": "1", "artifact_location": "mlflow-artifacts:/1", "lifecycle_stage": "active"}


points = 0
runs: dict[str, dict] = {}
counting = threading.Lock()


class FarServer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer goes in one piece: two would wait for each other's acknowledgement

    def do_GET(self) -> None:
        if self.path == "/version":
            self.answer(200, "3.17.2")
        elif self.path == "/points":
            self.answer(200, {"points": points})
        elif "/experiments/get-by-name" in self.path:
            self.answer(200, {"experiment": EXPERIMENT | {"name": "quickstart"}})
        elif "/runs/get?run_id=" in self.path:
            self.answer(200, {"run": runs[self.path.rsplit("=")[-1]]})
        else:
            self.answer(503, {})

    def do_POST(self) -> None:
        global points
        body = self.rfile.read(int(self.headers["Content-Length"]))
        call = self.path.rsplit("/2.0/mlflow/")[-1]
        if call == "runs/create":
            asked = json.loads(body)
            info = {"run_id": uuid.uuid4().hex, "run_name": asked["run_name"], "experiment_id": "1", "status": "RUNNING",
                    "start_time": asked["start_time"], "artifact_uri": "mlflow-artifacts:/1", "lifecycle_stage": "active"}
            runs[info["run_id"]] = {"info": info, "data": {"tags": asked.get("tags", [])}}
            self.answer(200, {"run": runs[info["run_id"]]})
        elif call == "runs/log-batch":
            with counting:
                points += len(json.loads(body).get("metrics", []))
            self.answer(200, {})
        elif call in ("runs/search", "runs/update") or "/mlflow-artifacts/artifacts/" in self.path:
            self.answer(200, {})
        else:
            self.answer(503, {})

    do_PATCH = do_PUT = do_POST

    def answer(self, status: int, content: dict | str) -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), FarServer).serve_forever()
