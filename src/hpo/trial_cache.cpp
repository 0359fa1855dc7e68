#include "hpo/trial_cache.h"

#include <algorithm>
#include <atomic>

namespace tw::hpo {
namespace {

std::uint64_t NextSerial() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

}  // namespace

TrialCache::TrialCache() : serial_(NextSerial()) {}

Status TrialCache::Refresh(Storage& storage, StudyId study) {
  std::vector<TrialId> ids;
  ids.reserve(unfinished_.size());
  for (const std::size_t at : unfinished_) ids.push_back(all_[at]->id);
  const TrialId after = all_.empty() ? -1 : all_.back()->id;
  const std::vector<TrialPtr> read = TW_TRY(storage.ReadTrials(study, ids, after));
  std::vector<std::size_t> unfinished;
  std::size_t next = 0;  // in unfinished_, as both lists are in the order of ids
  for (const TrialPtr& trial : read) {
    std::size_t at = all_.size();
    if (trial->id <= after) {
      while (next < unfinished_.size() && all_[unfinished_[next]]->id < trial->id) ++next;
      TW_CHECK(next < unfinished_.size() && all_[unfinished_[next]]->id == trial->id,
               "trial {} was not asked for", trial->id);
      at = unfinished_[next];
      all_[at] = trial;
    } else {
      all_.push_back(trial);
    }
    if (IsFinished(trial->state))
      finished_.push_back(trial);
    else
      unfinished.push_back(at);
  }
  unfinished_ = std::move(unfinished);
  return {};
}

std::vector<TrialPtr> TrialCache::Unfinished() const {
  std::vector<TrialPtr> trials;
  trials.reserve(unfinished_.size());
  for (const std::size_t at : unfinished_) trials.push_back(all_[at]);
  return trials;
}

}  // namespace tw::hpo
