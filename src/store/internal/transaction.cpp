#include "store/internal/transaction.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <set>

#include "base/log.h"

namespace tw::store {
namespace {

constexpr int kKeptGenerations = 2;

std::int64_t NumberOf(const std::string& name) {
  if (name.size() < 6 || name.size() > 18 ||
      name.find_first_not_of("0123456789") != std::string::npos)
    return 0;
  return std::strtoll(name.c_str(), nullptr, 10);
}

std::string PathIn(const std::string& folder, const std::string& name) {
  return fmt::format("{}/{}", folder, name);
}

std::string FolderOf(const std::string& relative) {
  const std::size_t slash = relative.rfind('/');
  return slash == std::string::npos ? "" : relative.substr(0, slash);
}

// Whether no reader holds the generation (Snapshot keeps a shared lock on its folder).
bool Unheld(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool unheld = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  ::close(fd);
  return unheld;
}

}  // namespace

Result<Transaction> Transaction::Begin(const std::string& dir, const FileHook& hook) {
  TW_TRY(CreateDirectories(dir + "/generations"));
  FileLock lock =
      TW_TRY_CTX(FileLock::Acquire(dir + "/lock"), "another import is writing to this store");
  Transaction out(dir, std::move(lock), hook);
  if (CurrentGeneration(dir) != 0) out.base_ = TW_TRY(Snapshot::Take(dir));
  TW_TRY(out.ClearLeftovers());
  return out;
}

Result<void> Transaction::ClearLeftovers() {
  const std::int64_t current = base_ ? base_->number() : 0;
  for (const std::string& name : NamesIn(dir_ + "/generations")) {
    if (NumberOf(name) > current) TW_TRY(disk_.RemoveAll(PathIn(dir_ + "/generations", name)));
  }
  for (const std::string& name : NamesIn(dir_)) {
    if (name == "current.new") TW_TRY(disk_.RemoveAll(PathIn(dir_, name)));
  }
  return {};
}

Result<std::int64_t> Transaction::Commit() {
  const std::int64_t number = (base_ ? base_->number() : 0) + 1;
  const std::string target = GenerationPath(dir_, number);
  const std::string link = dir_ + "/current.new";
  const auto swap = [&]() -> Result<void> {
    TW_TRY(Build(target));
    TW_TRY(disk_.Symlink("generations/" + GenerationName(number), link));
    return disk_.Rename(link, dir_ + "/current");
  };
  if (auto done = swap(); !done.ok()) {
    // What this leaves is cleared by the next writer.
    (void)disk_.RemoveAll(target);
    (void)disk_.RemoveAll(link);
    return done.error();
  }
  TW_TRY(disk_.Sync(dir_));
  // The write stands; what could not be removed is tried again by the next one.
  if (const auto pruned = Prune(number); !pruned.ok())
    LogWarn("store.prune", "error={}", pruned.error().message);
  return number;
}

Result<void> Transaction::Build(const std::string& target) {
  std::set<std::string> folders = {"calendars", "features", "instruments"};
  if (base_) {
    for (const std::string& code : NamesIn(base_->PathOf("features")))
      folders.insert("features/" + code);
  }
  for (const auto& [relative, change] : changes_) {
    if (!FolderOf(relative).empty() && !std::holds_alternative<Dropped>(change))
      folders.insert(FolderOf(relative));
  }
  TW_TRY(disk_.MakeDirectory(target));
  for (const std::string& folder : folders) TW_TRY(BuildFolder(target, folder));
  TW_TRY(LinkUnchanged(target, ""));
  for (const auto& [relative, change] : changes_) TW_TRY(BuildFile(target, relative, change));
  // All written, then all synced: the disk can work on several at once.
  for (const auto& [relative, change] : changes_) {
    if (!std::holds_alternative<Dropped>(change)) TW_TRY(disk_.Sync(PathIn(target, relative)));
  }
  for (const std::string& folder : folders) {
    // A folder that lost its last file is not made.
    if (::access(PathIn(target, folder).c_str(), F_OK) == 0)
      TW_TRY(disk_.Sync(PathIn(target, folder)));
  }
  TW_TRY(disk_.Sync(target));
  return disk_.Sync(dir_ + "/generations");
}

Result<void> Transaction::BuildFolder(const std::string& target, const std::string& folder) {
  bool wanted = folder == "calendars" || folder == "features" || folder == "instruments";
  for (auto at = changes_.lower_bound(folder + "/"); !wanted && at != changes_.end(); ++at) {
    if (!at->first.starts_with(folder + "/")) break;
    wanted = !std::holds_alternative<Dropped>(at->second);
  }
  if (base_ && !wanted) {
    for (const std::string& name : NamesIn(base_->PathOf(folder))) {
      wanted = wanted || !changes_.contains(PathIn(folder, name));
    }
  }
  if (!wanted) return {};
  TW_TRY(disk_.MakeDirectory(PathIn(target, folder)));
  if (folder == "features") return {};
  return LinkUnchanged(target, folder);
}

Result<void> Transaction::LinkUnchanged(const std::string& target, const std::string& folder) {
  if (!base_) return {};
  const std::string prefix = folder.empty() ? "" : folder + "/";
  for (const std::string& name : NamesIn(base_->PathOf(folder))) {
    const std::string relative = prefix + name;
    const bool is_folder = folder.empty() && name.find('.') == std::string::npos;
    if (is_folder || changes_.contains(relative)) continue;
    TW_TRY(disk_.Link(base_->PathOf(relative), PathIn(target, relative)));
  }
  return {};
}

Result<void> Transaction::BuildFile(const std::string& target, const std::string& relative,
                                    const Change& change) {
  const std::string path = PathIn(target, relative);
  if (const auto* text = std::get_if<std::string>(&change)) {
    return disk_.WriteNew(path, std::array{BytesOf(*text)});
  }
  if (const auto* values = std::get_if<std::vector<float>>(&change)) {
    return disk_.WriteNew(path, std::array{BytesOf(*values)});
  }
  if (const auto* shifted = std::get_if<Shifted>(&change)) {
    const MappedFile old = TW_TRY(MappedFile::Open(base_->PathOf(relative)));
    const std::vector<float> header = {static_cast<float>(shifted->first_row)};
    return disk_.WriteNew(path, std::array{BytesOf(header), old.bytes().subspan(sizeof(float))});
  }
  return {};
}

Result<void> Transaction::Prune(std::int64_t current) {
  for (const std::string& name : NamesIn(dir_ + "/generations")) {
    const std::int64_t number = NumberOf(name);
    const std::string path = PathIn(dir_ + "/generations", name);
    if (number == 0 || number > current - kKeptGenerations || !Unheld(path)) continue;
    TW_TRY(disk_.RemoveAll(path));
  }
  return {};
}

}  // namespace tw::store
