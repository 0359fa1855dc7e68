"""Writes tests/golden/rl/classic.json: trajectories of Gymnasium's classic-control environments.

    python tools/golden/rl/make_classic.py tests/golden/rl
"""

import json
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np

STEPS = 40


def state_of(env):
    return [float(value) for value in np.asarray(env.unwrapped.state, np.float64)]


def trajectory(name, start, actions):
    env = gym.make(name)
    env.reset(seed=0)
    state = np.array(start)
    env.unwrapped.state = state.astype(np.float32) if name == "MountainCarContinuous-v0" else state
    rows = []
    for action in actions:
        obs, reward, terminated, truncated, _ = env.step(action)
        rows.append({
            "action": float(np.asarray(action).reshape(-1)[0]),
            "observation": [float(value) for value in obs],
            "reward": float(reward),
            "terminated": bool(terminated),
        })
        if terminated:
            break
    return {"env": name, "start": [float(value) for value in start], "steps": rows}


rng = np.random.default_rng(5)
cases = []
for name, low, high in (
    ("CartPole-v1", [-0.05] * 4, [0.05] * 4),
    ("Pendulum-v1", [-3.1, -8], [3.1, 8]),
    ("Acrobot-v1", [-2.5, -2.5, -3, -3], [2.5, 2.5, 3, 3]),
    ("MountainCar-v0", [-1.2, -0.07], [0.45, 0.07]),
    ("MountainCarContinuous-v0", [-1.2, -0.07], [0.42, 0.07]),
):
    for _ in range(4):
        start = rng.uniform(low, high)
        if name == "MountainCarContinuous-v0":
            start = start.astype(np.float32).astype(np.float64)
        env = gym.make(name)
        if isinstance(env.action_space, gym.spaces.Discrete):
            actions = [int(a) for a in rng.integers(env.action_space.n, size=STEPS)]
        else:
            bound = float(env.action_space.high[0])
            actions = [np.array([a], np.float32) for a in rng.uniform(-bound, bound, size=STEPS)]
        cases.append(trajectory(name, start, actions))
Path(sys.argv[1], "classic.json").write_text(
    json.dumps({"versions": {"gymnasium": gym.__version__, "numpy": np.__version__}, "cases": cases}) + "\n")
