#include "rl/envs/classic.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "rl/state_codec.h"

namespace tw::rl {
namespace {

constexpr double kPi = std::numbers::pi;

/// What one step of one environment gives; the state is already the next one.
struct Outcome {
  double reward = 0;
  bool terminated = false;
};

ActionSpace Discrete(int n) {
  ActionSpace space;
  space.n = n;
  return space;
}

ActionSpace Box(float bound) {
  ActionSpace space;
  space.kind = ActionSpace::Kind::kBox;
  space.low = {-bound};
  space.high = {bound};
  return space;
}

// Each model has its state's size, its observation's, its time limit and the equations of
// Gymnasium's classic_control (reference/reinforcement_learning.md section 9), whose order of
// operations is kept.

struct CartPole {
  static constexpr std::string_view kName = "CartPole-v1";
  static constexpr std::size_t kState = 4;
  static constexpr std::size_t kObservation = 4;
  static constexpr std::int64_t kLimit = 500;

  static ActionSpace Actions() { return Discrete(2); }

  static void Reset(Rng& rng, std::array<double, kState>& s) {
    for (double& value : s) value = rng.Uniform(-0.05, 0.05);
  }

  static Outcome Step(std::array<double, kState>& s, float action) {
    constexpr double kTotalMass = 1.1;
    constexpr double kPoleMassLength = 0.05;
    constexpr double kDt = 0.02;
    auto& [x, x_dot, theta, theta_dot] = s;
    const double force = action >= 0.5F ? 10.0 : -10.0;
    const double cosine = std::cos(theta);
    const double sine = std::sin(theta);
    const double temp = (force + kPoleMassLength * (theta_dot * theta_dot) * sine) / kTotalMass;
    const double theta_acc =
        (9.8 * sine - cosine * temp) / (0.5 * (4.0 / 3.0 - 0.1 * (cosine * cosine) / kTotalMass));
    const double x_acc = temp - kPoleMassLength * theta_acc * cosine / kTotalMass;
    x += kDt * x_dot;
    x_dot += kDt * x_acc;
    theta += kDt * theta_dot;
    theta_dot += kDt * theta_acc;
    constexpr double kAngleLimit = 12 * 2 * kPi / 360;
    return {1.0, x < -2.4 || x > 2.4 || theta < -kAngleLimit || theta > kAngleLimit};
  }

  static void Observe(const std::array<double, kState>& s, float* out) {
    for (std::size_t i = 0; i < kState; ++i) out[i] = static_cast<float>(s[i]);
  }
};

struct Pendulum {
  static constexpr std::string_view kName = "Pendulum-v1";
  static constexpr std::size_t kState = 2;
  static constexpr std::size_t kObservation = 3;
  static constexpr std::int64_t kLimit = 200;

  static ActionSpace Actions() { return Box(2.0F); }

  static void Reset(Rng& rng, std::array<double, kState>& s) {
    s[0] = rng.Uniform(-kPi, kPi);
    s[1] = rng.Uniform(-1.0, 1.0);
  }

  /// To [-pi, pi), with the sign rules of Python's remainder.
  static double Wrap(double angle) {
    const double turned = angle + kPi;
    return turned - 2 * kPi * std::floor(turned / (2 * kPi)) - kPi;
  }

  static Outcome Step(std::array<double, kState>& s, float action) {
    constexpr double kDt = 0.05;
    const double torque = std::clamp(static_cast<double>(action), -2.0, 2.0);
    const double wrapped = Wrap(s[0]);
    const double cost = wrapped * wrapped + 0.1 * (s[1] * s[1]) + 0.001 * (torque * torque);
    const double speed = s[1] + (15.0 * std::sin(s[0]) + 3.0 * torque) * kDt;
    s[1] = std::clamp(speed, -8.0, 8.0);
    s[0] = s[0] + s[1] * kDt;
    return {-cost, false};
  }

  static void Observe(const std::array<double, kState>& s, float* out) {
    out[0] = static_cast<float>(std::cos(s[0]));
    out[1] = static_cast<float>(std::sin(s[0]));
    out[2] = static_cast<float>(s[1]);
  }
};

struct Acrobot {
  static constexpr std::string_view kName = "Acrobot-v1";
  static constexpr std::size_t kState = 4;
  static constexpr std::size_t kObservation = 6;
  static constexpr std::int64_t kLimit = 500;
  using State = std::array<double, kState>;

  static ActionSpace Actions() { return Discrete(3); }

  static void Reset(Rng& rng, State& s) {
    for (double& value : s) value = static_cast<double>(static_cast<float>(rng.Uniform(-0.1, 0.1)));
  }

  /// Time derivative under a torque on the second joint; "book" form. Lengths, masses and inertias
  /// are 1.
  static State Derivative(const State& s, double torque) {
    const auto& [theta1, theta2, omega1, omega2] = s;
    const double d1 = 0.25 + (1.0 + 0.25 + std::cos(theta2)) + 2.0;
    const double d2 = (0.25 + 0.5 * std::cos(theta2)) + 1.0;
    const double phi2 = 0.5 * 9.8 * std::cos(theta1 + theta2 - kPi / 2.0);
    const double phi1 = -0.5 * omega2 * omega2 * std::sin(theta2) -
                        omega2 * omega1 * std::sin(theta2) +
                        1.5 * 9.8 * std::cos(theta1 - kPi / 2) + phi2;
    const double acc2 =
        (torque + d2 / d1 * phi1 - 0.5 * omega1 * omega1 * std::sin(theta2) - phi2) /
        (0.25 + 1.0 - d2 * d2 / d1);
    const double acc1 = -(d2 * acc2 + phi1) / d1;
    return {omega1, omega2, acc1, acc2};
  }

  static State Moved(const State& s, const State& slope, double factor) {
    State moved = s;
    for (std::size_t i = 0; i < kState; ++i) moved[i] += factor * slope[i];
    return moved;
  }

  static double WrapAngle(double angle) {
    while (angle > kPi) angle -= 2 * kPi;
    while (angle < -kPi) angle += 2 * kPi;
    return angle;
  }

  static Outcome Step(State& s, float action) {
    constexpr double kDt = 0.2;
    const double torque = static_cast<double>(action) - 1.0;
    const State k1 = Derivative(s, torque);
    const State k2 = Derivative(Moved(s, k1, kDt / 2), torque);
    const State k3 = Derivative(Moved(s, k2, kDt / 2), torque);
    const State k4 = Derivative(Moved(s, k3, kDt), torque);
    for (std::size_t i = 0; i < kState; ++i)
      s[i] += kDt / 6.0 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
    s[0] = WrapAngle(s[0]);
    s[1] = WrapAngle(s[1]);
    s[2] = std::clamp(s[2], -4 * kPi, 4 * kPi);
    s[3] = std::clamp(s[3], -9 * kPi, 9 * kPi);
    const bool done = -std::cos(s[0]) - std::cos(s[1] + s[0]) > 1.0;
    return {done ? 0.0 : -1.0, done};
  }

  static void Observe(const State& s, float* out) {
    out[0] = static_cast<float>(std::cos(s[0]));
    out[1] = static_cast<float>(std::sin(s[0]));
    out[2] = static_cast<float>(std::cos(s[1]));
    out[3] = static_cast<float>(std::sin(s[1]));
    out[4] = static_cast<float>(s[2]);
    out[5] = static_cast<float>(s[3]);
  }
};

struct MountainCar {
  static constexpr std::string_view kName = "MountainCar-v0";
  static constexpr std::size_t kState = 2;
  static constexpr std::size_t kObservation = 2;
  static constexpr std::int64_t kLimit = 200;

  static ActionSpace Actions() { return Discrete(3); }

  static void Reset(Rng& rng, std::array<double, kState>& s) { s = {rng.Uniform(-0.6, -0.4), 0.0}; }

  static Outcome Step(std::array<double, kState>& s, float action) {
    auto& [position, velocity] = s;
    velocity += (static_cast<double>(action) - 1.0) * 0.001 + std::cos(3 * position) * -0.0025;
    velocity = std::clamp(velocity, -0.07, 0.07);
    position = std::clamp(position + velocity, -1.2, 0.6);
    if (position == -1.2 && velocity < 0) velocity = 0;
    return {-1.0, position >= 0.5 && velocity >= 0};
  }

  static void Observe(const std::array<double, kState>& s, float* out) {
    out[0] = static_cast<float>(s[0]);
    out[1] = static_cast<float>(s[1]);
  }
};

struct MountainCarContinuous {
  static constexpr std::string_view kName = "MountainCarContinuous-v0";
  static constexpr std::size_t kState = 2;
  static constexpr std::size_t kObservation = 2;
  static constexpr std::int64_t kLimit = 999;

  static ActionSpace Actions() { return Box(1.0F); }

  static void Reset(Rng& rng, std::array<double, kState>& s) { s = {rng.Uniform(-0.6, -0.4), 0.0}; }

  static Outcome Step(std::array<double, kState>& s, float action) {
    auto& [position, velocity] = s;
    const double given = static_cast<double>(action);
    const double force = std::clamp(given, -1.0, 1.0);
    velocity += force * 0.0015 - 0.0025 * std::cos(3 * position);
    velocity = std::clamp(velocity, -0.07, 0.07);
    position = std::clamp(position + velocity, -1.2, 0.6);
    if (position == -1.2 && velocity < 0) velocity = 0;
    const bool done = position >= 0.45 && velocity >= 0;
    // Gymnasium keeps the state as float32 from here on.
    position = static_cast<double>(static_cast<float>(position));
    velocity = static_cast<double>(static_cast<float>(velocity));
    return {(done ? 100.0 : 0.0) - given * given * 0.1, done};
  }

  static void Observe(const std::array<double, kState>& s, float* out) {
    out[0] = static_cast<float>(s[0]);
    out[1] = static_cast<float>(s[1]);
  }
};

/// N copies of one model, with time limit and same-step reset.
template <class Model>
class ClassicEnv final : public VecEnv {
 public:
  explicit ClassicEnv(int num_envs)
      : space_(Model::Actions()),
        states_(static_cast<std::size_t>(num_envs)),
        steps_(states_.size(), 0) {}

  int num_envs() const override { return static_cast<int>(states_.size()); }

  int observation_width() const override { return static_cast<int>(Model::kObservation); }

  const ActionSpace& action_space() const override { return space_; }

  void Reset(std::uint64_t seed, std::span<float> observations) override {
    streams_.clear();
    for (std::size_t e = 0; e < states_.size(); ++e) {
      streams_.emplace_back(seed, Model::kName, e);
      Begin(e, observations);
    }
  }

  void Step(std::span<const float> actions, const StepOutput& out) override {
    TW_CHECK(streams_.size() == states_.size(), "Step before Reset");
    for (std::size_t e = 0; e < states_.size(); ++e) {
      const Outcome outcome = Model::Step(states_[e], actions[e]);
      ++steps_[e];
      const bool truncated = steps_[e] >= Model::kLimit;
      out.rewards[e] = static_cast<float>(outcome.reward);
      out.terminated[e] = outcome.terminated ? 1 : 0;
      out.truncated[e] = truncated ? 1 : 0;
      if (outcome.terminated || truncated) {
        Model::Observe(states_[e], out.final_observations.data() + e * Model::kObservation);
        Begin(e, out.observations);
      } else {
        Model::Observe(states_[e], out.observations.data() + e * Model::kObservation);
      }
    }
  }

  std::string SaveState() const override {
    StateWriter writer;
    writer.Text(Model::kName);
    writer.Array(steps_);
    for (std::size_t e = 0; e < states_.size(); ++e) {
      writer.Array(std::span<const double>(states_[e]));
      writer.Stream(streams_[e].state());
    }
    return writer.Take();
  }

  Result<void> LoadState(std::string_view state) override {
    StateReader reader(state);
    if (reader.Text() != Model::kName) {
      return Error{ErrorCode::kBadData, fmt::format("the state is not one of {}", Model::kName)};
    }
    std::vector<std::int64_t> steps(steps_.size());
    reader.Array(std::span<std::int64_t>(steps));
    auto states = states_;
    std::vector<Rng> streams;
    for (auto& values : states) {
      reader.Array(std::span<double>(values));
      streams.emplace_back(reader.Stream());
    }
    TW_TRY_CTX(reader.Finish(), Model::kName);
    steps_ = std::move(steps);
    states_ = std::move(states);
    streams_ = std::move(streams);
    return {};
  }

 private:
  void Begin(std::size_t e, std::span<float> observations) {
    Model::Reset(streams_[e], states_[e]);
    steps_[e] = 0;
    Model::Observe(states_[e], observations.data() + e * Model::kObservation);
  }

  ActionSpace space_;
  std::vector<std::array<double, Model::kState>> states_;
  std::vector<std::int64_t> steps_;
  std::vector<Rng> streams_;
};

constexpr std::array<std::string_view, 5> kNames = {CartPole::kName, Pendulum::kName,
                                                    Acrobot::kName, MountainCar::kName,
                                                    MountainCarContinuous::kName};

template <class Model>
std::unique_ptr<VecEnv> Make(int num_envs) {
  return std::make_unique<ClassicEnv<Model>>(num_envs);
}

}  // namespace

std::span<const std::string_view> ClassicEnvNames() { return kNames; }

Result<std::unique_ptr<VecEnv>> MakeClassicEnv(std::string_view name, int num_envs) {
  if (num_envs < 1)
    return Error{ErrorCode::kUsage, fmt::format("{} environments; at least 1 is needed", num_envs)};
  if (name == CartPole::kName) return Make<CartPole>(num_envs);
  if (name == Pendulum::kName) return Make<Pendulum>(num_envs);
  if (name == Acrobot::kName) return Make<Acrobot>(num_envs);
  if (name == MountainCar::kName) return Make<MountainCar>(num_envs);
  if (name == MountainCarContinuous::kName) return Make<MountainCarContinuous>(num_envs);
  return Error{ErrorCode::kNotFound,
               fmt::format("no environment '{}'; there are {}", name, fmt::join(kNames, ", "))};
}

}  // namespace tw::rl
