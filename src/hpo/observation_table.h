#pragma once

// Internal to TPE: the study's trials as columns, split into below and above.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hpo/trial_cache.h"

namespace tw::hpo::internal {

/// Rows are never changed or reused; a running trial whose parameters became more gets a new one.
class ObservationTable {
 public:
  /// Reads what is new. `liar`: running trials other than `self` are rows of "above"; with
  /// `relative_params` their shared values count as well as the suggested ones.
  Status Update(const StudyView& study, TrialId self, bool liar, bool relative_params);

  /// COMPLETE and PRUNED trials.
  std::size_t finished() const { return by_number_.size(); }

  /// Rows of the below and above sets that have all of these columns, oldest trial first.
  void Select(std::span<const std::size_t> columns, std::vector<std::uint32_t>& below,
              std::vector<std::uint32_t>& above) const;

  std::size_t Column(const std::string& name);

  const double* column(std::size_t index) const { return columns_[index].data(); }

  const std::int64_t* order() const { return order_.data(); }

 private:
  struct Score {
    int group = 0;  // 0 feasible COMPLETE, 1 feasible PRUNED, 2 infeasible
    double first = 0;
    double second = 0;
    bool operator<(const Score& other) const;
  };

  struct Running {
    TrialId id = -1;
    std::uint32_t row = 0;
    std::vector<std::pair<std::size_t, double>> values;  // by column
  };

  void Reset(std::uint64_t serial);
  std::uint32_t NewRow(std::int64_t number);
  void AddFinished(const StudyView& study, const FrozenTrial& trial);
  void UpdateRunning(const StudyView& study, TrialId self, bool relative_params);
  std::vector<std::pair<std::size_t, double>> RunningValues(const FrozenTrial& trial,
                                                            bool relative_params);
  void SplitByScore(std::size_t below);
  void SplitByRank(std::size_t below);
  bool ScoredBefore(std::uint32_t a, std::uint32_t b) const;

  std::uint64_t serial_ = 0;
  std::size_t seen_ = 0;  // of the cache's finished trials
  std::unordered_map<std::string, std::size_t> column_of_;
  std::vector<std::string> column_names_;
  std::vector<std::vector<double>> columns_;  // NaN where a trial lacks the parameter
  std::unordered_map<std::string, Distribution> distributions_;  // to read running trials' values
  std::vector<std::int64_t> order_;                              // by row: trial number
  std::vector<Score> scores_;                                    // by row
  std::vector<char> is_below_;                                   // by row
  std::vector<std::size_t> present_;                             // by row: columns it has
  std::vector<std::uint32_t> by_number_;                         // finished rows
  std::vector<std::uint32_t> by_score_;                          // finished rows, best first
  std::size_t objectives_ = 1;
  std::vector<std::vector<double>> losses_;  // by row, several objectives only
  std::vector<std::uint32_t> below_;         // rows now marked
  std::vector<Running> running_;
  std::vector<std::uint32_t> above_extra_;  // rows of running trials by number
};

}  // namespace tw::hpo::internal
