#pragma once

// Internal to the tests: what tools/golden/hpo/make_golden.py wrote.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "hpo/memory_storage.h"
#include "hpo/study.h"

namespace tw::hpo::testing {

using Golden = nlohmann::ordered_json;

inline Golden ReadGolden(const std::string& name) {
  std::ifstream file(std::string(TW_SOURCE_DIR) + "/tests/golden/hpo/" + name + ".json");
  EXPECT_TRUE(file.good()) << name;
  return Golden::parse(file);
}

inline double Number(const Golden& json) {
  if (json.is_number()) return json.get<double>();
  const auto text = json.get<std::string>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return text == "inf" ? std::numeric_limits<double>::infinity()
                       : -std::numeric_limits<double>::infinity();
}

inline std::vector<double> Numbers(const Golden& json) {
  std::vector<double> numbers;
  for (const auto& item : json) numbers.push_back(Number(item));
  return numbers;
}

inline std::vector<Direction> Directions(const Golden& json) {
  std::vector<Direction> directions;
  for (const auto& item : json) {
    directions.push_back(item == "maximize" ? Direction::kMaximize : Direction::kMinimize);
  }
  return directions;
}

/// Relative for large values, absolute for small ones.
inline void ExpectClose(double actual, double expected, double tolerance, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << what;
    return;
  }
  if (std::isinf(expected)) {
    EXPECT_EQ(actual, expected) << what;
    return;
  }
  EXPECT_NEAR(actual, expected, tolerance * std::max(1.0, std::abs(expected))) << what;
}

inline void ExpectClose(const std::vector<double>& actual, const std::vector<double>& expected,
                        double tolerance, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ExpectClose(actual[i], expected[i], tolerance, what + " [" + std::to_string(i) + "]");
  }
}

struct StudyInMemory {
  explicit StudyInMemory(StudyOptions options) {
    if (options.name.empty()) options.name = "s1";
    Result<std::unique_ptr<Study>> made = Study::Create(storage, clock, std::move(options));
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    study = std::move(made).value();
  }

  SystemClock clock;
  std::shared_ptr<MemoryStorage> storage = std::make_shared<MemoryStorage>(clock);
  std::unique_ptr<Study> study;
};

}  // namespace tw::hpo::testing
