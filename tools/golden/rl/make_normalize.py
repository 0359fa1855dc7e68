"""Writes tests/golden/rl/normalize.json: what Stable-Baselines3's VecNormalize makes of scripted observations.

    python tools/golden/rl/make_normalize.py tests/golden/rl
"""

import json
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import stable_baselines3
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

ENVS, WIDTH, STEPS = 3, 2, 12
rng = np.random.default_rng(3)
reset_obs = rng.normal(2, 3, (ENVS, WIDTH)).astype(np.float32)
steps = [{"observations": rng.normal(2, 3, (ENVS, WIDTH)).astype(np.float32),
          "final": rng.normal(2, 3, (ENVS, WIDTH)).astype(np.float32),
          "rewards": rng.normal(1, 2, ENVS).astype(np.float32),
          "dones": rng.random(ENVS) < 0.25} for _ in range(STEPS)]


class Scripted(VecEnv):
    def __init__(self):
        self.at = 0
        super().__init__(ENVS, gym.spaces.Box(-np.inf, np.inf, (WIDTH,), np.float32), gym.spaces.Discrete(2))

    def reset(self):
        return reset_obs.copy()

    def step_async(self, actions):
        pass

    def step_wait(self):
        row = steps[self.at]
        self.at += 1
        infos = [{"terminal_observation": row["final"][i].copy()} if row["dones"][i] else {} for i in range(ENVS)]
        return row["observations"].copy(), row["rewards"].copy(), row["dones"].copy(), infos

    def close(self):
        pass

    def get_attr(self, name, indices=None):
        return [None] * ENVS

    def set_attr(self, name, value, indices=None):
        pass

    def env_method(self, name, *args, indices=None, **kwargs):
        return [None] * ENVS

    def env_is_wrapped(self, wrapper, indices=None):
        return [False] * ENVS


def numbers(array):
    return [float(str(v)) for v in np.asarray(array, np.float32).reshape(-1)]


env = VecNormalize(Scripted(), clip_obs=2.0, clip_reward=1.5, gamma=0.9)
golden = {"version": stable_baselines3.__version__, "envs": ENVS, "width": WIDTH, "reset": numbers(reset_obs),
          "reset_normalized": numbers(env.reset()), "steps": []}
for row in steps:
    obs, rewards, dones, infos = env.step(np.zeros(ENVS))
    golden["steps"].append({
        "observations": numbers(row["observations"]), "final": numbers(row["final"]), "rewards": numbers(row["rewards"]),
        "dones": [int(d) for d in dones], "normalized": numbers(obs), "normalized_rewards": numbers(rewards),
        "normalized_final": [numbers(info["terminal_observation"]) if d else [] for d, info in zip(dones, infos)]})
golden["mean"], golden["var"] = env.obs_rms.mean.tolist(), env.obs_rms.var.tolist()
golden["return_var"] = float(env.ret_rms.var)
Path(sys.argv[1], "normalize.json").write_text(json.dumps(golden) + "\n")
