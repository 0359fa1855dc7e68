#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/rng.h"

namespace tw::rl {

/// Writes numbers, arrays and texts as a binary string, little-endian, each array with its length.
class StateWriter {
 public:
  template <class T>
  void Value(const T& value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }

  template <class T>
  void Array(std::span<const T> values) {
    static_assert(std::is_arithmetic_v<T>);
    Value(static_cast<std::uint64_t>(values.size()));
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }

  template <class T>
  void Array(const std::vector<T>& values) {
    Array(std::span<const T>(values));
  }

  void Text(std::string_view text) { Array(std::span<const char>(text.data(), text.size())); }

  void Stream(const RngState& state) {
    Value(state.key);
    Value(state.stream);
    Value(state.position);
  }

  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what StateWriter wrote, in the same order. Once something does not fit, everything reads
/// as zero or empty and Finish says so.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T Value() {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    const std::string_view part = Take(sizeof(T));
    if (!part.empty()) std::memcpy(&value, part.data(), sizeof(T));
    return value;
  }

  template <class T>
  std::vector<T> Array() {
    static_assert(std::is_arithmetic_v<T>);
    const auto count = Value<std::uint64_t>();
    if (count > bytes_.size() / sizeof(T)) {
      broken_ = true;
      return {};
    }
    std::vector<T> values(count);
    const std::string_view part = Take(count * sizeof(T));
    if (!part.empty()) std::memcpy(values.data(), part.data(), part.size());
    return values;
  }

  /// As Array, of a size that must be met.
  template <class T>
  void Array(std::span<T> values) {
    const std::vector<T> read = Array<T>();
    if (read.size() != values.size()) {
      broken_ = true;
      return;
    }
    std::copy(read.begin(), read.end(), values.begin());
  }

  std::string Text() {
    const std::vector<char> text = Array<char>();
    return {text.begin(), text.end()};
  }

  RngState Stream() {
    RngState state;
    state.key = Value<std::uint64_t>();
    state.stream = Value<std::uint64_t>();
    state.position = Value<std::uint64_t>();
    return state;
  }

  bool ok() const { return !broken_; }

  /// Errors: kBadData when something did not fit or bytes are left over.
  Result<void> Finish() const;

 private:
  std::string_view Take(std::size_t size) {
    if (broken_ || size > bytes_.size()) {
      broken_ = true;
      return {};
    }
    const std::string_view part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }

  std::string_view bytes_;
  bool broken_ = false;
};

}  // namespace tw::rl
