"""A small client of the API, on the standard library."""
import json
import urllib.error
import urllib.request


class Api:
    def __init__(self, serve_json):
        with open(serve_json, encoding="utf-8") as file:
            said = json.load(file)
        self.base = said["base"]
        self.port = said["port"]
        self.token = said["url"].split("#token=")[1]

    def ask(self, method, target, body=None, token=None):
        """Status and JSON (or text) of an answer."""
        request = urllib.request.Request(self.base + "api/v1" + target, method=method)
        request.add_header("Authorization", "Bearer " + (token or self.token))
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def get(self, target):
        status, answer = self.ask("GET", target)
        assert status == 200, (target, status, answer)
        return answer

    def simulate(self, **body):
        status, answer = self.ask("POST", "/simulations?wait_ms=2000", body)
        assert status == 202, (status, answer)
        assert answer["state"] == "done", answer
        return answer["id"]
