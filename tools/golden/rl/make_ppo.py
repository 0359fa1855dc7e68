"""Writes tests/golden/rl/ppo_{discrete,box}.json: what Stable-Baselines3 computes on one fixed rollout.

Each file holds the start weights, the rollout, the order of the rows in every epoch, the first minibatch's forward
values, loss, gradients and weights after one Adam step, and the weights and log values after a whole train().

    python tools/golden/rl/make_ppo.py tests/golden/rl
"""

import copy
import json
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import stable_baselines3
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

STEPS, ENVS = 25, 2


class Blank(gym.Env):
    """Spaces only; nothing is ever stepped."""

    def __init__(self, width, actions):
        self.observation_space = gym.spaces.Box(-10, 10, (width,), np.float32)
        self.action_space = actions

    def reset(self, *, seed=None, options=None):
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action):
        return np.zeros(self.observation_space.shape, np.float32), 0.0, False, False, {}


def numbers(array):
    """Shortest decimals that give the same float32 again."""
    flat = np.asarray(array, np.float32).reshape(-1)
    return [float(str(value)) for value in flat]


def weights(policy):
    return {name: {"shape": list(value.shape), "values": numbers(value)} for name, value in policy.state_dict().items()}


def fill_rollout(model, rng):
    """Random rows with the policy's own values and log-probabilities, slightly off as after earlier epochs."""
    buffer = model.rollout_buffer
    buffer.reset()
    width = model.observation_space.shape[0]
    for step in range(STEPS):
        obs = rng.normal(size=(ENVS, width)).astype(np.float32)
        with torch.no_grad():
            actions, values, log_probs = model.policy(torch.as_tensor(obs))
        values = values + torch.as_tensor(rng.normal(scale=0.3, size=values.shape), dtype=torch.float32)
        log_probs = log_probs + torch.as_tensor(rng.normal(scale=0.15, size=log_probs.shape), dtype=torch.float32)
        actions = actions.numpy()
        if isinstance(model.action_space, gym.spaces.Discrete):
            actions = actions.reshape(-1, 1)
        starts = (rng.random(ENVS) < 0.12).astype(np.float32)
        buffer.add(obs, actions, rng.normal(size=ENVS).astype(np.float32), starts, values, log_probs)
    last_values = torch.as_tensor(rng.normal(size=(ENVS, 1)), dtype=torch.float32)
    dones = np.array([False, True])
    buffer.compute_returns_and_advantage(last_values, dones)
    return last_values, dones


def env_major(array):
    return numbers(np.asarray(array).swapaxes(0, 1))


def first_step(model, data, clip_range_vf):
    """The loss of one minibatch, its gradients, and the weights after one clipped Adam step, written out anew."""
    policy = copy.deepcopy(model.policy)
    values, log_prob, entropy = policy.evaluate_actions(data["observations"], data["actions"])
    values = values.flatten()
    advantages = data["advantages"]
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    ratio = torch.exp(log_prob - data["old_log_prob"])
    clip = model.clip_range(1.0)
    policy_loss = -torch.min(advantages * ratio, advantages * torch.clamp(ratio, 1 - clip, 1 + clip)).mean()
    predicted = values
    if clip_range_vf is not None:
        predicted = data["old_values"] + torch.clamp(values - data["old_values"], -clip_range_vf, clip_range_vf)
    value_loss = torch.nn.functional.mse_loss(data["returns"], predicted)
    entropy_loss = -entropy.mean()
    loss = policy_loss + model.ent_coef * entropy_loss + model.vf_coef * value_loss
    policy.optimizer = torch.optim.Adam(policy.parameters(), lr=model.learning_rate, eps=1e-5)
    loss.backward()
    gradients = {name: numbers(value.grad) for name, value in policy.named_parameters()}
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), model.max_grad_norm)
    policy.optimizer.step()
    return {
        "values": numbers(values.detach()),
        "log_prob": numbers(log_prob.detach()),
        "entropy": numbers(entropy.detach()),
        "policy_loss": float(policy_loss),
        "value_loss": float(value_loss),
        "entropy_loss": float(entropy_loss),
        "loss": float(loss),
        "gradients": gradients,
        "gradient_norm": float(norm),
        "weights_after": weights(policy),
    }


def make(name, width, actions, **settings):
    torch.manual_seed(7)
    rng = np.random.default_rng(11)
    env = stable_baselines3.common.vec_env.DummyVecEnv([lambda: Blank(width, actions)] * ENVS)
    model = PPO("MlpPolicy", env, n_steps=STEPS, seed=7, device="cpu", **settings)
    with torch.no_grad():  # away from the start, where heads are nearly zero
        for value in model.policy.parameters():
            value += 0.1 * torch.randn_like(value)
    model.set_logger(Logger(folder=None, output_formats=[]))
    model._current_progress_remaining = 1.0
    last_values, dones = fill_rollout(model, rng)
    buffer = model.rollout_buffer
    golden = {
        "versions": {"stable_baselines3": stable_baselines3.__version__, "torch": torch.__version__},
        "settings": {key: value for key, value in settings.items() if key != "policy_kwargs"},
        "weights": weights(model.policy),
        "rollout": {
            "envs": ENVS,
            "steps": STEPS,
            "observations": env_major(buffer.observations),
            "actions": env_major(buffer.actions),
            "rewards": env_major(buffer.rewards),
            "values": env_major(buffer.values),
            "log_probs": env_major(buffer.log_probs),
            "episode_starts": env_major(buffer.episode_starts),
            "last_values": numbers(last_values),
            "last_dones": [int(done) for done in dones],
            "advantages": env_major(buffer.advantages),
            "returns": env_major(buffer.returns),
        },
    }
    orders = []
    draw = np.random.permutation

    def recorded(count):
        orders.append(draw(count))
        return orders[-1]

    before = copy.deepcopy(model)
    before.set_logger(Logger(folder=None, output_formats=[]))
    np.random.permutation = recorded
    model.train()
    np.random.permutation = draw
    golden["orders"] = [[int(row) for row in order] for order in orders]
    golden["after"] = weights(model.policy)
    golden["log"] = {key: float(value) for key, value in model.logger.name_to_value.items()}

    rows = orders[0][: model.batch_size]
    flat = {key: np.asarray(golden["rollout"][key], np.float32)[rows] if key != "observations" and key != "actions" else
            np.asarray(golden["rollout"][key], np.float32).reshape(ENVS * STEPS, -1)[rows]
            for key in ("observations", "actions", "values", "log_probs", "advantages", "returns")}
    data = {key: torch.as_tensor(value) for key, value in flat.items()}
    data["old_values"], data["old_log_prob"] = data["values"], data["log_probs"]
    if isinstance(actions, gym.spaces.Discrete):
        data["actions"] = data["actions"].long().flatten()
    golden["first_minibatch"] = first_step(before, data, settings.get("clip_range_vf"))
    Path(sys.argv[1], f"{name}.json").write_text(json.dumps(golden) + "\n")


kwargs = {"policy_kwargs": {"net_arch": {"pi": [24, 20], "vf": [20, 24]}}}
make("ppo_discrete", 5, gym.spaces.Discrete(3), batch_size=16, n_epochs=3, ent_coef=0.02, clip_range=0.2,
     clip_range_vf=0.25, learning_rate=1e-3, gamma=0.97, gae_lambda=0.9, **kwargs)
kwargs = {"policy_kwargs": {"net_arch": [16, 33], "activation_fn": torch.nn.ReLU}}
make("ppo_box", 3, gym.spaces.Box(-2, 2, (2,), np.float32), batch_size=20, n_epochs=2, ent_coef=0.01, clip_range=0.1,
     learning_rate=5e-4, max_grad_norm=0.3, **kwargs)
make("ppo_stop", 4, gym.spaces.Discrete(2), batch_size=10, n_epochs=6, learning_rate=3e-3, target_kl=0.012,
     policy_kwargs={"net_arch": [8]})
