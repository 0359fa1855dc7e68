#include "tracking/internal/run_filter.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace tw::tracking::internal {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameWord(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

/// Reads keys, operators and literals of MLflow's filters.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Error Fail(std::string_view message) const {
    return {ErrorCode::kUsage, fmt::format("filter '{}', column {}: {}", text_, pos_ + 1, message)};
  }

  bool AtEnd() {
    while (pos_ < text_.size() &&
           (text_[pos_] == ' ' || text_[pos_] == '\t' || text_[pos_] == '\n'))
      ++pos_;
    return pos_ >= text_.size();
  }

  /// A bare word (dots and slashes included), or what stands between backticks or double quotes.
  std::string Word() {
    AtEnd();
    std::string word;
    while (pos_ < text_.size()) {
      const char c = text_[pos_];
      if (c == '`' || c == '"') {
        const std::size_t end = text_.find(c, pos_ + 1);
        if (end == std::string_view::npos) break;
        word += text_.substr(pos_ + 1, end - pos_ - 1);
        pos_ = end + 1;
        continue;
      }
      if (c == ' ' || c == '\t' || c == '\n' || c == '=' || c == '!' || c == '<' || c == '>' ||
          c == '\'' || c == '(' || c == ')' || c == ',')
        break;
      word += c;
      ++pos_;
    }
    return word;
  }

  Result<std::string> Operator() {
    AtEnd();
    for (const std::string_view op : {">=", "<=", "!=", "=", ">", "<"}) {
      if (text_.substr(pos_, op.size()) != op) continue;
      pos_ += op.size();
      return std::string(op);
    }
    const std::string word = Word();
    if (SameWord(word, "LIKE")) return std::string("LIKE");
    if (SameWord(word, "ILIKE")) return std::string("ILIKE");
    if (SameWord(word, "IN")) return std::string("IN");
    if (SameWord(word, "NOT") && SameWord(Word(), "IN")) return std::string("NOT IN");
    if (SameWord(word, "IS")) {
      const std::string next = Word();
      if (SameWord(next, "NULL")) return std::string("IS NULL");
      if (SameWord(next, "NOT") && SameWord(Word(), "NULL")) return std::string("IS NOT NULL");
    }
    return Fail("wanted = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL or IS NOT NULL");
  }

  /// ('a', 'b')
  Result<std::vector<std::string>> List() {
    std::vector<std::string> list;
    if (!Take('(')) return Fail("wanted a list in parentheses");
    do {
      std::string text = TW_TRY(Quoted());
      list.push_back(std::move(text));
    } while (Take(','));
    if (!Take(')')) return Fail("wanted , or ) in the list");
    return list;
  }

  Result<std::string> Quoted() {
    AtEnd();
    const char quote = pos_ < text_.size() ? text_[pos_] : ' ';
    const std::size_t end =
        quote == '\'' || quote == '"' ? text_.find(quote, pos_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) return Fail("wanted a text in quotes");
    std::string text(text_.substr(pos_ + 1, end - pos_ - 1));
    pos_ = end + 1;
    return text;
  }

  Result<double> Number() {
    const std::string word = Word();
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (word.empty() || end != word.c_str() + word.size()) return Fail("wanted a number");
    return value;
  }

 private:
  bool Take(char c) {
    if (AtEnd() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }

  std::string_view text_;
  std::size_t pos_ = 0;
};

struct Prefix {
  std::string_view word;
  Column column;
};

constexpr std::array<Prefix, 11> kPrefixes = {{{"metrics.", Column::kMetric},
                                               {"metric.", Column::kMetric},
                                               {"params.", Column::kParam},
                                               {"param.", Column::kParam},
                                               {"parameters.", Column::kParam},
                                               {"tags.", Column::kTag},
                                               {"tag.", Column::kTag},
                                               {"attributes.", Column::kAttribute},
                                               {"attribute.", Column::kAttribute},
                                               {"attr.", Column::kAttribute},
                                               {"run.", Column::kAttribute}}};
constexpr std::array<std::string_view, 7> kAttributes = {
    "run_id", "run_name", "user_id", "status", "artifact_uri", "start_time", "end_time"};

Result<SortKey> KeyOf(const std::string& word) {
  SortKey key{Column::kAttribute, word, false};
  for (const Prefix& prefix : kPrefixes) {
    if (!word.starts_with(prefix.word)) continue;
    key = {prefix.column, word.substr(prefix.word.size()), false};
    break;
  }
  if (key.key == "created" && key.column == Column::kAttribute) key.key = "start_time";
  if (key.key.empty() || (key.column == Column::kAttribute &&
                          std::ranges::find(kAttributes, key.key) == kAttributes.end())) {
    return Error{ErrorCode::kUsage,
                 fmt::format("'{}': wanted metrics.KEY, params.KEY, tags.KEY, or one of run_id, "
                             "run_name, user_id, status, artifact_uri, start_time, end_time",
                             word)};
  }
  return key;
}

bool IsNumber(Column column, const std::string& key) {
  return column == Column::kMetric ||
         (column == Column::kAttribute && (key == "start_time" || key == "end_time"));
}

std::optional<double> NumberOf(const Run& run, Column column, const std::string& key) {
  if (column == Column::kMetric) {
    const auto found = run.metrics.find(key);
    return found == run.metrics.end() ? std::nullopt : std::optional(found->second.value);
  }
  if (key == "start_time") return static_cast<double>(run.start_time_ms);
  return run.end_time_ms ? std::optional(static_cast<double>(*run.end_time_ms)) : std::nullopt;
}

std::optional<std::string> TextOf(const Run& run, Column column, const std::string& key) {
  if (column == Column::kAttribute) {
    if (key == "run_id") return run.run_id;
    if (key == "run_name") return run.run_name;
    if (key == "artifact_uri") return run.artifact_uri;
    // MLflow keeps the user in this tag.
    if (key == "user_id") return TextOf(run, Column::kTag, "mlflow.user");
    return std::string(NameOf(run.status));
  }
  const auto& map = column == Column::kParam ? run.params : run.tags;
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

/// SQL's LIKE: % any text, _ one character. Greedy with one step back, so it takes time text x
/// pattern at most.
bool Like(std::string_view text, std::string_view pattern) {
  std::size_t t = 0;
  std::size_t p = 0;
  std::optional<std::size_t> star;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '_' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star) {
      p = *star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '%') ++p;
  return p == pattern.size();
}

std::string LowerText(std::string text) {
  std::ranges::transform(text, text.begin(), Lower);
  return text;
}

bool MatchesOne(const Run& run, const Comparison& c) {
  if (IsNumber(c.column, c.key)) {
    const std::optional<double> value = NumberOf(run, c.column, c.key);
    if (!value) return false;
    if (c.op == "=") return *value == c.number;
    if (c.op == "!=") return *value != c.number;
    if (c.op == ">") return *value > c.number;
    if (c.op == ">=") return *value >= c.number;
    if (c.op == "<") return *value < c.number;
    return *value <= c.number;
  }
  const std::optional<std::string> value = TextOf(run, c.column, c.key);
  if (c.op.starts_with("IS ")) return value.has_value() == (c.op == "IS NOT NULL");
  if (!value) return false;
  if (c.op.ends_with("IN")) {
    return (std::ranges::find(c.list, *value) != c.list.end()) == (c.op == "IN");
  }
  if (c.op == "=") return *value == c.text;
  if (c.op == "!=") return *value != c.text;
  if (c.op == "LIKE") return Like(*value, c.text);
  return Like(LowerText(*value), LowerText(c.text));
}

/// Negative when a stands before b.
int Compare(const Run& a, const Run& b, const SortKey& key) {
  if (IsNumber(key.column, key.key)) {
    const auto x = NumberOf(a, key.column, key.key);
    const auto y = NumberOf(b, key.column, key.key);
    const int class_x = !x ? 2 : std::isnan(*x) ? 1 : 0;
    const int class_y = !y ? 2 : std::isnan(*y) ? 1 : 0;
    if (class_x != class_y) return class_x - class_y;
    if (class_x != 0 || *x == *y) return 0;
    return (*x < *y) != key.descending ? -1 : 1;
  }
  const auto x = TextOf(a, key.column, key.key);
  const auto y = TextOf(b, key.column, key.key);
  if (x.has_value() != y.has_value()) return x ? -1 : 1;
  if (!x || *x == *y) return 0;
  return (*x < *y) != key.descending ? -1 : 1;
}

Result<void> ReadOperand(Scanner& scanner, Comparison& comparison) {
  const std::string& op = comparison.op;
  const bool attribute = comparison.column == Column::kAttribute;
  const bool words = op.ends_with("LIKE") || op.ends_with("IN") || op.starts_with("IS ");
  if (IsNumber(comparison.column, comparison.key)) {
    if (words) return scanner.Fail("numbers are compared with = != < <= > >=");
    comparison.number = TW_TRY(scanner.Number());
    return {};
  }
  if (op.starts_with("IS ")) {
    if (attribute) return scanner.Fail("IS NULL is for parameters and tags");
    return {};
  }
  if (op.ends_with("IN")) {
    if (!attribute || comparison.key != "run_id") return scanner.Fail("IN is for run_id");
    comparison.list = TW_TRY(scanner.List());
    return {};
  }
  if (!words && op != "=" && op != "!=")
    return scanner.Fail("texts are compared with = != LIKE ILIKE");
  comparison.text = TW_TRY(scanner.Quoted());
  return {};
}

}  // namespace

Result<std::vector<Comparison>> ParseFilter(std::string_view filter) {
  std::vector<Comparison> comparisons;
  Scanner scanner(filter);
  while (!scanner.AtEnd()) {
    if (!comparisons.empty() && !SameWord(scanner.Word(), "AND")) return scanner.Fail("wanted AND");
    const auto key = KeyOf(scanner.Word());
    if (!key.ok()) return scanner.Fail(key.error().message);
    Comparison comparison;
    comparison.column = key->column;
    comparison.key = key->key;
    // In statements of its own: leaving a braced list half-way would leak what it holds.
    comparison.op = TW_TRY(scanner.Operator());
    TW_TRY(ReadOperand(scanner, comparison));
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

Result<SortKey> ParseSortKey(std::string_view item) {
  Scanner scanner(item);
  SortKey key = TW_TRY(KeyOf(scanner.Word()));
  if (scanner.AtEnd()) return key;
  const std::string direction = scanner.Word();
  key.descending = SameWord(direction, "DESC");
  if ((!key.descending && !SameWord(direction, "ASC")) || !scanner.AtEnd()) {
    return Error{ErrorCode::kUsage,
                 fmt::format("order '{}': wanted KEY, KEY ASC or KEY DESC", item)};
  }
  return key;
}

bool Matches(const Run& run, const std::vector<Comparison>& filter) {
  return std::ranges::all_of(filter, [&run](const Comparison& c) { return MatchesOne(run, c); });
}

void Sort(std::vector<Run>& runs, const std::vector<SortKey>& keys) {
  std::ranges::sort(runs, [&keys](const Run& a, const Run& b) {
    for (const SortKey& key : keys) {
      if (const int order = Compare(a, b, key); order != 0) return order < 0;
    }
    if (a.start_time_ms != b.start_time_ms) return a.start_time_ms > b.start_time_ms;
    return a.run_id < b.run_id;
  });
}

}  // namespace tw::tracking::internal
