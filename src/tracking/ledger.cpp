#include "tracking/ledger.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

#include "base/files.h"
#include "db/sqlite.h"

namespace tw::tracking {
namespace {

constexpr std::int32_t kLedgerId = 0x54576c67;  // "TWlg"
constexpr std::string_view kLook = "holdout_look";

constexpr std::array<std::string_view, 1> kLedgerSchema = {R"sql(
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('walk_forward', 'search', 'holdout_look')),
  family TEXT NOT NULL, who TEXT NOT NULL,
  config_hash TEXT NOT NULL, data_hash TEXT NOT NULL, window TEXT NOT NULL,
  seed TEXT NOT NULL, model TEXT NOT NULL,
  sharpe REAL, returns BLOB NOT NULL,
  previous_hash TEXT NOT NULL, hash TEXT NOT NULL);
CREATE UNIQUE INDEX one_row_a_seed ON entries (family, config_hash, data_hash, window, seed)
  WHERE kind <> 'holdout_look';
CREATE TRIGGER entries_keep BEFORE UPDATE ON entries
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- INSERT OR REPLACE would remove rows without asking the trigger above.
CREATE TRIGGER entries_append BEFORE INSERT ON entries
  WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)
    OR (NEW.kind <> 'holdout_look' AND EXISTS (
      SELECT 1 FROM entries WHERE kind <> 'holdout_look' AND family = NEW.family AND config_hash = NEW.config_hash
        AND data_hash = NEW.data_hash AND window = NEW.window AND seed = NEW.seed))
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
)sql"};

std::string_view NameOf(TrialKind kind) {
  return kind == TrialKind::kWalkForward ? "walk_forward" : "search";
}

/// A row of the table.
struct Entry {
  std::int64_t seq = 0;
  std::int64_t time_ms = 0;
  std::string kind;
  std::string family;
  std::string who;
  TrialKey key;
  std::string seed;
  std::string model;
  std::string returns;  // as stored
  std::string previous_hash;
  std::string hash;
};

constexpr std::string_view kColumns =
    "SELECT seq, time_ms, kind, family, who, config_hash, data_hash, window, seed, model, returns, "
    "previous_hash, hash "
    "FROM entries";

Entry ReadEntry(const db::Statement& row) {
  return {row.Integer(0), row.Integer(1), row.Text(2),
          row.Text(3),    row.Text(4),    {row.Text(5), row.Text(6), row.Text(7)},
          row.Text(8),    row.Text(9),    row.Blob(10),
          row.Text(11),   row.Text(12)};
}

/// Over all of the row and the hash of the one before; each part with its length, so that parts
/// cannot trade places.
std::string HashOf(const Entry& e) {
  std::string text = fmt::format("{} {}", e.seq, e.time_ms);
  for (const std::string* part : {&e.kind, &e.family, &e.who, &e.key.config_hash, &e.key.data_hash,
                                  &e.key.window, &e.seed, &e.model, &e.returns, &e.previous_hash}) {
    text += fmt::format("\n{}:", part->size());
    text += *part;
  }
  return Sha256Hex(text);
}

// A day is 12 bytes, little-endian: int32 days since 1970-01-01, float64 return.
constexpr std::size_t kDayBytes = 12;
static_assert(std::endian::native == std::endian::little);

std::string Encode(const std::vector<DailyReturn>& returns) {
  std::string bytes(returns.size() * kDayBytes, '\0');
  char* at = bytes.data();
  for (const DailyReturn& day : returns) {
    const auto date = static_cast<std::int32_t>(DaysFromCivil(day.date));
    std::memcpy(at, &date, sizeof date);
    std::memcpy(at + sizeof date, &day.value, sizeof day.value);
    at += kDayBytes;
  }
  return bytes;
}

struct Day {
  std::int32_t date;
  double value;
};

Result<std::vector<Day>> Decode(const Entry& entry) {
  if (entry.returns.size() % kDayBytes != 0) {
    return Error{ErrorCode::kBadData, fmt::format("ledger row {}: {} bytes of daily returns",
                                                  entry.seq, entry.returns.size())};
  }
  std::vector<Day> days(entry.returns.size() / kDayBytes);
  const char* at = entry.returns.data();
  for (Day& day : days) {
    std::memcpy(&day.date, at, sizeof day.date);
    std::memcpy(&day.value, at + sizeof day.date, sizeof day.value);
    at += kDayBytes;
  }
  return days;
}

std::optional<double> SharpeOf(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2) return std::nullopt;
  double mean = 0;
  for (const double v : values) mean += v / n;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double deviation = std::sqrt(squares / (n - 1));
  if (!(deviation > 1e-12 * std::max(1e-4, std::abs(mean)))) return std::nullopt;
  return mean / deviation;
}

Result<void> Check(const Trial& trial) {
  for (const auto& [name, text] :
       {std::pair("config hash", &trial.key.config_hash),
        std::pair("data hash", &trial.key.data_hash), std::pair("window", &trial.key.window),
        std::pair("family", &trial.family)}) {
    if (text->empty()) return Error{ErrorCode::kUsage, fmt::format("a trial without {}", name)};
  }
  const auto& returns = trial.daily_returns;
  for (std::size_t i = 0; i < returns.size(); ++i) {
    const std::string date = FormatDate(returns[i].date);
    if (!IsValid(returns[i].date) || (i > 0 && returns[i].date <= returns[i - 1].date)) {
      return Error{ErrorCode::kUsage,
                   fmt::format("daily return {} is of {}, not after the one before", i, date)};
    }
    if (!std::isfinite(returns[i].value)) {
      return Error{ErrorCode::kUsage,
                   fmt::format("the daily return of {} is {}", date, returns[i].value)};
    }
  }
  return {};
}

/// All rows of one trial.
struct Group {
  Entry first;
  std::set<std::string> seeds;
  std::map<std::int32_t, std::pair<double, int>> days;  // sum over seeds and their number

  std::vector<double> Means() const {
    std::vector<double> means;
    for (const auto& [date, sum] : days) means.push_back(sum.first / sum.second);
    return means;
  }
};

}  // namespace

class TrialLedger::Impl {
 public:
  Impl(db::Database database, const Clock& clock) : db_(std::move(database)), clock_(clock) {}

  /// Gives the entry its place, time and hashes, and writes it. Inside the caller's transaction.
  Result<void> Append(Entry entry, std::optional<double> sharpe) {
    {
      db::Statement last =
          TW_TRY(db_.Prepare("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1"));
      const bool any = TW_TRY(last.Step());
      entry.seq = any ? last.Integer(0) + 1 : 1;
      entry.previous_hash = any ? last.Text(1) : "";
    }
    entry.time_ms = clock_.Now().nanos() / 1'000'000;
    entry.hash = HashOf(entry);
    db::Statement insert = TW_TRY(db_.Prepare(
        "INSERT INTO entries (seq, time_ms, kind, family, who, config_hash, data_hash, window, "
        "seed, model, returns, "
        "previous_hash, hash, sharpe) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(1, entry.seq)
        .Bind(2, entry.time_ms)
        .Bind(3, entry.kind)
        .Bind(4, entry.family)
        .Bind(5, entry.who);
    insert.Bind(6, entry.key.config_hash)
        .Bind(7, entry.key.data_hash)
        .Bind(8, entry.key.window)
        .Bind(9, entry.seed);
    insert.Bind(10, entry.model)
        .BindBlob(11, entry.returns)
        .Bind(12, entry.previous_hash)
        .Bind(13, entry.hash);
    if (sharpe) insert.Bind(14, *sharpe);
    return insert.Run();
  }

  /// First row of the trial in this family, and whether this seed of it is there.
  Result<std::pair<std::int64_t, bool>> Find(const Trial& trial) {
    db::Statement find =
        TW_TRY(db_.Prepare("SELECT coalesce(min(seq), 0), coalesce(sum(seed = ?), 0) FROM entries "
                           "WHERE kind <> 'holdout_look' AND "
                           "family = ? AND config_hash = ? AND data_hash = ? AND window = ?"));
    find.Bind(1, trial.seed).Bind(2, trial.family).Bind(3, trial.key.config_hash);
    find.Bind(4, trial.key.data_hash).Bind(5, trial.key.window);
    TW_TRY(find.Step());
    return std::pair(find.Integer(0), find.Integer(1) > 0);
  }

  /// The trials of a family (or of all) in order of their first row. A seed that stands in two
  /// families counts once.
  Result<std::vector<Group>> Groups(std::string_view family) {
    db::Statement rows = TW_TRY(db_.Prepare(fmt::format(
        "{} WHERE kind <> 'holdout_look' AND (? = '' OR family = ?) ORDER BY seq", kColumns)));
    rows.Bind(1, family).Bind(2, family);
    std::vector<Group> groups;
    std::map<std::tuple<std::string, std::string, std::string>, std::size_t> index;
    for (;;) {
      const bool row = TW_TRY(rows.Step());
      if (!row) return groups;
      const Entry entry = ReadEntry(rows);
      const auto [place, added] = index.emplace(
          std::tuple(entry.key.config_hash, entry.key.data_hash, entry.key.window), groups.size());
      if (added) groups.push_back({entry, {}, {}});
      Group& group = groups[place->second];
      if (!group.seeds.insert(entry.seed).second) continue;
      for (const Day& day : TW_TRY(Decode(entry))) {
        auto& [sum, count] = group.days[day.date];
        sum += day.value;
        ++count;
      }
    }
  }

  std::mutex mutex_;
  db::Database db_;
  const Clock& clock_;
};

TrialLedger::TrialLedger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TrialLedger::~TrialLedger() = default;

Result<std::unique_ptr<TrialLedger>> TrialLedger::Open(const std::string& path,
                                                       const Clock& clock) {
  db::Database database = TW_TRY(db::Database::Open(path));
  TW_TRY(database.Migrate(kLedgerId, kLedgerSchema));
  return std::unique_ptr<TrialLedger>(
      new TrialLedger(std::make_unique<Impl>(std::move(database), clock)));
}

Result<Recorded> TrialLedger::AddTrial(const Trial& trial) {
  TW_TRY(Check(trial));
  Entry entry;
  entry.kind = NameOf(trial.kind);
  entry.family = trial.family;
  entry.who = trial.who;
  entry.key = trial.key;
  entry.seed = trial.seed;
  entry.returns = Encode(trial.daily_returns);
  std::vector<double> values;
  for (const DailyReturn& day : trial.daily_returns) values.push_back(day.value);
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  const auto [before, same_seed] = TW_TRY(impl_->Find(trial));
  if (same_seed) return Recorded{before, false, false};
  TW_TRY(impl_->Append(std::move(entry), SharpeOf(values)));
  const std::int64_t id = before != 0 ? before : TW_TRY(impl_->Find(trial)).first;
  TW_TRY(transaction.Commit());
  return Recorded{id, before == 0, true};
}

Result<void> TrialLedger::AddHoldoutLook(const HoldoutLook& look) {
  if (look.family.empty() || look.key.window.empty()) {
    return Error{ErrorCode::kUsage, "a look at the holdout without family or window"};
  }
  Entry entry;
  entry.kind = kLook;
  entry.family = look.family;
  entry.who = look.who;
  entry.key = look.key;
  entry.model = look.model;
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  TW_TRY(impl_->Append(std::move(entry), std::nullopt));
  return transaction.Commit();
}

Result<std::int64_t> TrialLedger::Count(std::string_view family) {
  const std::lock_guard lock(impl_->mutex_);
  db::Statement count =
      TW_TRY(impl_->db_.Prepare("SELECT count(*) FROM (SELECT DISTINCT config_hash, data_hash, "
                                "window FROM entries WHERE kind <> 'holdout_look' "
                                "AND (? = '' OR family = ?))"));
  count.Bind(1, family).Bind(2, family);
  TW_TRY(count.Step());
  return count.Integer(0);
}

Result<std::vector<TrialSummary>> TrialLedger::Trials(std::string_view family) {
  const std::lock_guard lock(impl_->mutex_);
  std::vector<TrialSummary> trials;
  for (const Group& group : TW_TRY(impl_->Groups(family))) {
    const Entry& first = group.first;
    trials.push_back({.trial_id = first.seq,
                      .key = first.key,
                      .family = first.family,
                      .who = first.who,
                      .kind = first.kind == "search" ? TrialKind::kSearch : TrialKind::kWalkForward,
                      .seeds = static_cast<std::int64_t>(group.seeds.size()),
                      .days = static_cast<std::int64_t>(group.days.size()),
                      .sharpe_per_day = SharpeOf(group.Means()),
                      .time_ms = first.time_ms});
  }
  return trials;
}

Result<ReturnMatrix> TrialLedger::DailyReturns(std::string_view family, Dates dates) {
  const std::lock_guard lock(impl_->mutex_);
  std::vector<Group> groups = TW_TRY(impl_->Groups(family));
  std::erase_if(groups, [](const Group& group) { return group.days.empty(); });
  std::map<std::int32_t, std::size_t> have;  // trials that have the day
  for (const Group& group : groups) {
    for (const auto& [date, sum] : group.days) ++have[date];
  }
  if (dates == Dates::kCommon)
    std::erase_if(have, [&](const auto& day) { return day.second < groups.size(); });
  ReturnMatrix matrix;
  for (const Group& group : groups) matrix.trial_ids.push_back(group.first.seq);
  for (const auto& [date, count] : have) {
    matrix.dates.push_back(CivilFromDays(date));
    for (const Group& group : groups) {
      const auto day = group.days.find(date);
      matrix.values.push_back(day == group.days.end() ? std::nan("")
                                                      : day->second.first / day->second.second);
    }
  }
  return matrix;
}

Result<std::vector<HoldoutLook>> TrialLedger::HoldoutLooks(std::string_view family) {
  const std::lock_guard lock(impl_->mutex_);
  db::Statement rows = TW_TRY(impl_->db_.Prepare(fmt::format(
      "{} WHERE kind = 'holdout_look' AND (? = '' OR family = ?) ORDER BY seq", kColumns)));
  rows.Bind(1, family).Bind(2, family);
  std::vector<HoldoutLook> looks;
  for (;;) {
    const bool row = TW_TRY(rows.Step());
    if (!row) return looks;
    const Entry entry = ReadEntry(rows);
    looks.push_back({entry.key, entry.family, entry.who, entry.model, entry.time_ms});
  }
}

Result<void> TrialLedger::Verify() {
  const std::lock_guard lock(impl_->mutex_);
  db::Statement rows = TW_TRY(impl_->db_.Prepare(fmt::format("{} ORDER BY seq", kColumns)));
  std::string previous;
  for (std::int64_t expected = 1;; ++expected) {
    const bool row = TW_TRY(rows.Step());
    if (!row) return {};
    const Entry entry = ReadEntry(rows);
    if (entry.seq != expected || entry.previous_hash != previous || entry.hash != HashOf(entry)) {
      return Error{ErrorCode::kBadData,
                   fmt::format("ledger row {} was changed, or one before it removed", entry.seq)};
    }
    previous = entry.hash;
  }
}

}  // namespace tw::tracking
