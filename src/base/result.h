#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace tw {

/// A value or an Error. Our functions do not throw: outside data and the operating system answer
/// with a Result, our own bugs with TW_CHECK.
template <class T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: `return value;` and `return Error{...};` both read well.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}

  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }

  explicit operator bool() const { return ok(); }

  const T& value() const& {
    TW_CHECK(ok(), "value() of an error: {}", std::get<1>(state_).message);
    return std::get<0>(state_);
  }

  T& value() & {
    TW_CHECK(ok(), "value() of an error: {}", std::get<1>(state_).message);
    return std::get<0>(state_);
  }

  // By value: a reference into a temporary would dangle in `for (auto& x : F().value())`.
  T value() && {
    TW_CHECK(ok(), "value() of an error: {}", std::get<1>(state_).message);
    return std::get<0>(std::move(state_));
  }

  const T& operator*() const& { return value(); }

  T& operator*() & { return value(); }

  const T* operator->() const { return &value(); }

  T* operator->() { return &value(); }

  const Error& error() const& {
    TW_CHECK(!ok(), "error() of a value");
    return std::get<1>(state_);
  }

  Error&& error() && {
    TW_CHECK(!ok(), "error() of a value");
    return std::get<1>(std::move(state_));
  }

  /// The same result with `context` in front of the message if it is an error.
  Result WithContext(std::string_view context) && {
    if (ok()) return std::move(*this);
    return std::get<1>(state_).WithContext(context);
  }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;

  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }

  explicit operator bool() const { return ok(); }

  void value() const { TW_CHECK(ok(), "value() of an error: {}", error_->message); }

  const Error& error() const& {
    TW_CHECK(!ok(), "error() of a success");
    return *error_;
  }

  Result WithContext(std::string_view context) && {
    if (ok()) return std::move(*this);
    return error_->WithContext(context);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

namespace internal {

template <class T>
T TakeValue(Result<T>&& result) {
  return std::move(result).value();
}

inline void TakeValue(Result<void>&& result) { result.value(); }

}  // namespace internal
}  // namespace tw

/// The value of a Result expression, or return its Error from the enclosing function.
/// `const Bar bar = TW_TRY(ParseBar(line));`
#define TW_TRY(...)                                                   \
  __extension__({                                                     \
    auto tw_try_result = (__VA_ARGS__);                               \
    if (!tw_try_result.ok()) return std::move(tw_try_result).error(); \
    ::tw::internal::TakeValue(std::move(tw_try_result));              \
  })

/// As TW_TRY, with a context in front of the message: `TW_TRY_CTX(Read(path), path)`.
#define TW_TRY_CTX(expression, context)                                         \
  __extension__({                                                               \
    auto tw_try_result = (expression);                                          \
    if (!tw_try_result.ok()) return tw_try_result.error().WithContext(context); \
    ::tw::internal::TakeValue(std::move(tw_try_result));                        \
  })
