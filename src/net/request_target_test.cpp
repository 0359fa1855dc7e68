#include "net/request_target.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cctype>

namespace tw::net {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

TEST(RequestTargetTest, SplitsPathAndQuery) {
  const auto target = ParseRequestTarget("/api/v1/models/a%2Fb/?x=1&y=a+b%20c&flag&x=2");
  ASSERT_TRUE(target.ok()) << target.error().message;
  EXPECT_EQ(target->segments, (std::vector<std::string>{"api", "v1", "models", "a/b"}));
  EXPECT_EQ(target->query, (Query{{"x", "1"}, {"y", "a b c"}, {"flag", ""}, {"x", "2"}}));
  EXPECT_TRUE(ParseRequestTarget("/")->segments.empty());
}

TEST(RequestTargetTest, RefusesWhatCouldLeaveAFolder) {
  for (const char* raw :
       {"", "x", "http://h/x", "/../etc/passwd", "/a/../b", "/a/./b", "//a", "/a//b", "/%2e%2e/x",
        "/%2E./x", "/a%00b", "/a%0", "/a%zz", "/a\tb", "/a?x=%00", "/a?x=%f"}) {
    EXPECT_FALSE(ParseRequestTarget(raw).ok()) << raw;
  }
  EXPECT_FALSE(ParseRequestTarget("/" + std::string(3, 'a') + std::string(80, '/')).ok());
  std::string deep;
  for (int i = 0; i < 33; ++i) deep += "/a";
  EXPECT_FALSE(ParseRequestTarget(deep).ok());
  std::string many = "/?a";
  for (int i = 0; i < 64; ++i) many += "&a";
  EXPECT_FALSE(ParseRequestTarget(many).ok());
}

std::string Encode(const std::string& text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      out.push_back(c);
    } else {
      out += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return out;
}

RC_GTEST_PROP(RequestTargetTest, DecodingUndoesEncoding, (std::vector<std::string> words)) {
  std::string raw;
  std::vector<std::string> wanted;
  for (std::string word : words) {
    std::erase(word, '\0');
    if (word.empty() || word == "." || word == ".." || wanted.size() == 32) continue;
    raw += "/" + Encode(word);
    wanted.push_back(word);
  }
  if (raw.empty()) raw = "/";
  const auto target = ParseRequestTarget(raw);
  RC_ASSERT(target.ok());
  RC_ASSERT(target->segments == wanted);
}

RC_GTEST_PROP(RequestTargetTest, AnythingIsAnsweredWithoutDotsOrNuls, (std::string text)) {
  const auto target = ParseRequestTarget("/" + text);
  if (!target.ok()) return;
  for (const std::string& segment : target->segments) {
    RC_ASSERT(!segment.empty() && segment != "." && segment != "..");
    RC_ASSERT(segment.find('\0') == std::string::npos);
  }
}

}  // namespace
}  // namespace tw::net
