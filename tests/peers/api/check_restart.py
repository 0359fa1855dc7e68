"""A page that is open while the server starts anew: check_restart.py BEFORE AFTER (what serve said each time)."""
import sys

from client import Api

before, after = Api(sys.argv[1]), Api(sys.argv[2])
assert before.token == after.token
assert after.get("/simulations")["simulations"] == []
status, problem = after.ask("GET", "/simulations/0123456789abcdef")
assert status == 404 and problem["code"] == "not_found", problem
status, problem = after.ask("GET", "/status", token="0" * 48)
assert status == 401, problem
