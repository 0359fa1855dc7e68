#pragma once

#include <cstdint>
#include <vector>

#include "hpo/storage.h"
#include "hpo/trial.h"

namespace tw::hpo {

/// One study's trials as this process last saw them. Finished trials are read once; a refresh asks
/// only for unfinished and new ones.
class TrialCache {
 public:
  TrialCache();

  Status Refresh(Storage& storage, StudyId study);

  /// Another one for each cache of this process, above 0: tells a reader whether its place still
  /// means anything.
  std::uint64_t serial() const { return serial_; }

  /// All trials by id, which is the order of their numbers.
  const std::vector<TrialPtr>& all() const { return all_; }

  /// Finished trials in the order in which they were seen finished: only ever appended to, so that
  /// a reader may keep its place.
  const std::vector<TrialPtr>& finished() const { return finished_; }

  /// RUNNING and WAITING trials by id.
  std::vector<TrialPtr> Unfinished() const;

 private:
  std::uint64_t serial_;
  std::vector<TrialPtr> all_;
  std::vector<TrialPtr> finished_;
  std::vector<std::size_t> unfinished_;  // positions in all_, ascending
};

/// What samplers and pruners know of a study.
struct StudyView {
  const StudyInfo& info;  // attributes as of the start of the process
  const TrialCache& trials;
  Storage& storage;  // for study attributes

  bool maximises(std::size_t objective = 0) const {
    return info.directions[objective] == Direction::kMaximize;
  }
};

}  // namespace tw::hpo
