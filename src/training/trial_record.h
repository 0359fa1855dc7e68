#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "eval/daily_returns.h"
#include "eval/splits.h"
#include "tracking/ledger.h"
#include "training/dataset.h"
#include "training/judge.h"
#include "training/style.h"

namespace tw::training {

/// Everything tried on one market is one family: whoever renames a style still searched the same
/// data.
std::string FamilyOf(const StyleConfig& style);

/// SHA-256 of TrialText.
std::string ConfigHash(std::string_view effective_yaml);

/// Configuration, data and window of what was judged over `bars`. `bars` may end at the last row.
tracking::TrialKey TrialKeyOf(const StyleConfig& style, std::string_view effective_yaml,
                              const Dataset& data, eval::IndexRange bars);

/// From the first fold's test to the last one's.
eval::IndexRange TestBars(const eval::WalkForward& split);

/// A row for the ledger. The trial's seeds are those of the style.
tracking::Trial LedgerRow(const StyleConfig& style, tracking::TrialKey key, std::string who,
                          const eval::DailySeries& daily);

/// How many were tried, how alike they are, and how much their Sharpe ratios vary.
Result<TrialRecord> ReadTrialRecord(tracking::TrialLedger& ledger, const std::string& family);

}  // namespace tw::training
