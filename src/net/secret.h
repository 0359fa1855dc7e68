#pragma once

#include <string>
#include <utility>

namespace tw::net {

/// A password, token or key. It has no formatter and no operator<<, so that it cannot end up in a
/// message by accident; whoever needs the text says so with Reveal().
class Secret {
 public:
  Secret() = default;

  explicit Secret(std::string text) : text_(std::move(text)) {}

  const std::string& Reveal() const { return text_; }

  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace tw::net
