#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "store/internal/disk.h"
#include "store/internal/snapshot.h"

namespace tw::store {

/// One change of a store: the lock, the state before, and the files that will differ after. Nothing
/// but the lock and the clearing of leftovers touches the disk before Commit.
class Transaction {
 public:
  /// Takes the lock and clears what a killed writer left. Errors: kBusy, kIo, and those of
  /// Snapshot::Take.
  static Result<Transaction> Begin(const std::string& dir, const FileHook& hook);

  /// The state before; nothing when the store is being made.
  const std::optional<Snapshot>& base() const { return base_; }

  void Put(const std::string& relative, std::string text) { changes_[relative] = std::move(text); }

  /// A column file: `values[0]` is the header.
  void Put(const std::string& relative, std::vector<float> values) {
    changes_[relative] = std::move(values);
  }

  /// The same values from another row on.
  void PutHeader(const std::string& relative, std::int64_t first_row) {
    changes_[relative] = Shifted{first_row};
  }

  void Drop(const std::string& relative) { changes_[relative] = Dropped{}; }

  /// Builds the new generation, swaps it in, prunes old ones. Returns its number. After an error
  /// the old state is current, unless only the last sync of the swap failed.
  Result<std::int64_t> Commit();

 private:
  struct Shifted {
    std::int64_t first_row;
  };

  struct Dropped {};

  using Change = std::variant<std::string, std::vector<float>, Shifted, Dropped>;

  Transaction(std::string dir, FileLock lock, FileHook hook)
      : dir_(std::move(dir)), lock_(std::move(lock)), disk_(std::move(hook)) {}

  Result<void> ClearLeftovers();
  Result<void> Build(const std::string& target);
  Result<void> BuildFolder(const std::string& target, const std::string& folder);
  Result<void> BuildFile(const std::string& target, const std::string& relative,
                         const Change& change);
  Result<void> LinkUnchanged(const std::string& target, const std::string& folder);
  Result<void> Prune(std::int64_t current);

  std::string dir_;
  FileLock lock_;
  Disk disk_;
  std::optional<Snapshot> base_;
  std::map<std::string, Change> changes_;
};

}  // namespace tw::store
