"""Trains PPO on CartPole-v1 once with Stable-Baselines3 and prints one JSON line, as rl_train_bench does.

    python train_sb3.py defaults|zoo STEPS SEED THREADS
"""

import json
import sys
import time

import stable_baselines3
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

settings, steps, seed, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
if settings == "zoo":
    env = make_vec_env("CartPole-v1", 8, seed=seed)
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98, n_epochs=20,
                learning_rate=lambda p: p * 0.001, clip_range=lambda p: p * 0.2, seed=seed, device="cpu")
else:
    env = make_vec_env("CartPole-v1", 1, seed=seed)
    model = PPO("MlpPolicy", env, seed=seed, device="cpu")
begin = time.monotonic()
model.learn(steps)
seconds = time.monotonic() - begin
score, _ = evaluate_policy(model, make_vec_env("CartPole-v1", 1, seed=1000), 5 if steps < 50000 else 20)
print(json.dumps({"steps": model.num_timesteps, "seconds": round(seconds, 3),
                  "steps_per_second": round(model.num_timesteps / seconds), "score": round(float(score), 1),
                  "versions": f"stable-baselines3 {stable_baselines3.__version__}, torch {torch.__version__}"}))
