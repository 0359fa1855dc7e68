#include "training/trial_record.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/files.h"
#include "eval/significance.h"

namespace tw::training {

std::string FamilyOf(const StyleConfig& style) {
  return style.data.instrument + " " + style.data.freq;
}

std::string ConfigHash(std::string_view effective_yaml) {
  return Sha256Hex(TrialText(effective_yaml));
}

tracking::TrialKey TrialKeyOf(const StyleConfig& style, std::string_view effective_yaml,
                              const Dataset& data, eval::IndexRange bars) {
  const auto& world = data.world;
  return {ConfigHash(effective_yaml), data.bars_sha256,
          fmt::format("{} {}..{}", FamilyOf(style),
                      FormatIso(world.open_time[static_cast<std::size_t>(bars.begin)]),
                      FormatIso(world.close_time[static_cast<std::size_t>(bars.end - 1)]))};
}

eval::IndexRange TestBars(const eval::WalkForward& split) {
  return {split.folds.front().test.begin, split.folds.back().test.end};
}

tracking::Trial LedgerRow(const StyleConfig& style, tracking::TrialKey key, std::string who,
                          const eval::DailySeries& daily) {
  tracking::Trial trial;
  trial.key = std::move(key);
  trial.family = FamilyOf(style);
  trial.who = std::move(who);
  trial.seed = fmt::format("{}x{}", style.agent.seed, style.agent.seeds);
  for (std::size_t i = 0; i < daily.dates.size(); ++i)
    trial.daily_returns.push_back({daily.dates[i], daily.returns[i]});
  return trial;
}

Result<TrialRecord> ReadTrialRecord(tracking::TrialLedger& ledger, const std::string& family) {
  TrialRecord record;
  record.trials = TW_TRY(ledger.Count(family));
  std::vector<double> sharpes;
  for (const tracking::TrialSummary& summary : TW_TRY(ledger.Trials(family))) {
    if (summary.sharpe_per_day) sharpes.push_back(*summary.sharpe_per_day);
  }
  if (sharpes.size() >= 2) {
    double mean = 0;
    for (const double s : sharpes) mean += s / static_cast<double>(sharpes.size());
    double variance = 0;
    for (const double s : sharpes)
      variance += (s - mean) * (s - mean) / static_cast<double>(sharpes.size() - 1);
    record.sharpe_variance = variance;
  }
  const tracking::ReturnMatrix matrix =
      TW_TRY(ledger.DailyReturns(family, tracking::TrialLedger::Dates::kCommon));
  if (matrix.cols() >= 2 && matrix.rows() >= 2) {
    const auto rho = TW_TRY(
        eval::MeanPairwiseCorrelation({matrix.values, static_cast<std::int64_t>(matrix.cols())}));
    if (rho) record.effective_trials = eval::EffectiveTrials(*rho, record.trials);
  }
  return record;
}

}  // namespace tw::training
