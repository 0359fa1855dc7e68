#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/config.h"
#include "base/files.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/unique_id.h"

namespace tw {
namespace {

// Known-answer vectors of Random123 1.14 (philox4x32, 10 rounds).
TEST(PhiloxTest, MatchesThePublishedVectors) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RngTest, ARestoredStreamContinuesWhereItStood) {
  Rng rng(7, "test");
  for (int i = 0; i < 13; ++i) rng.NextU32();
  Rng copy(rng.state());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.NextU32(), copy.NextU32());
}

TEST(FilesTest, WhatIsNoFileIsNeverReplaced) {
  std::string dir = ::testing::TempDir() + "tradewind_files_XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  const std::string pipe = dir + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto written = WriteFileAtomically(pipe, "x");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message, pipe + ": is a pipe or device, wanted a file");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_FALSE(WriteFileAtomically(dir, "x").ok());
  EXPECT_TRUE(std::filesystem::is_directory(dir));
  std::filesystem::remove_all(dir);
}

TEST(UniqueHexTest, NamesHaveTheirLengthAndDiffer) {
  EXPECT_EQ(UniqueHex(16).size(), 32U);
  EXPECT_EQ(UniqueHex(16).find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(UniqueHex(16), UniqueHex(16));
}

TEST(TimeTest, IsoTextsRoundTrip) {
  EXPECT_EQ(FormatIso(ParseIso("2006-01-01T23:00:00Z").value()), "2006-01-01T23:00:00Z");
  EXPECT_EQ(FormatIso(ParseIso("2012-02-01 00:01:00+01:00").value()), "2012-01-31T23:01:00Z");
  EXPECT_EQ(FormatIso(ParseIso("1969-12-31T23:59:59.5Z").value()), "1969-12-31T23:59:59.5Z");
  EXPECT_FALSE(ParseIso("2023-02-29").ok());
  EXPECT_FALSE(ParseIso("2023-02-28T24:00").ok());
}

TEST(ConfigTest, AnUnknownKeyNamesFileLineAndTheNearestKey) {
  const Config config = Config::Parse("ppo:\n  gama: 0.9\n", "x.yaml").value();
  double gamma = 0.99;
  config.root().Section("ppo").Number("gamma", gamma, {.min = 0, .max = 1});
  const auto status = config.Finish();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message,
            "x.yaml:2: ppo.gama is no known key (did you mean 'ppo.gamma'?)");
}

TEST(ConfigTest, OverridesWinAndRangesAreChecked) {
  Config config = Config::Parse("ppo: {gamma: 0.9}\n", "x.yaml").value();
  ASSERT_TRUE(config.Override("ppo.gamma=1.5").ok());
  double gamma = 0.99;
  config.root().Section("ppo").Number("gamma", gamma, {.min = 0, .max = 1});
  ASSERT_FALSE(config.Finish().ok());
  EXPECT_EQ(config.Finish().error().message,
            "--set: ppo.gamma is 1.5, wanted a number between 0 and 1");
}

TEST(ConfigTest, MessagesNameTheOptionThroughAMergeAndSayEachFaultOnce) {
  Config top = Config::Parse("ppo: {epochs: 3}\n", "top.yaml").value();
  ASSERT_TRUE(top.Override("ppo.gamma=1.5", "--gamma").ok());
  Config config = Config::Parse("a: 1\n", "x.yaml").value();
  ASSERT_TRUE(config.Merge(top).ok());
  for (int module = 0; module < 2; ++module) {
    double gamma = 0.99;
    int epochs = 1;
    config.root().Section("ppo").Number("gamma", gamma, {.min = 0, .max = 1});
    config.root().Section("ppo").Integer("epochs", epochs, {.min = 10});
    config.root().Integer("a", epochs);
  }
  EXPECT_EQ(config.Finish().error().message,
            "--gamma: ppo.gamma is 1.5, wanted a number between 0 and 1\n"
            "top.yaml:1: ppo.epochs is 3, wanted a whole number at least 10");
}

TEST(ConfigTest, TheEffectiveConfigIsYamlThatReadsBackTheSame) {
  Config config = Config::Parse("a: {b: 3, list: [1, 2]}\nname: 'x: y'\n", "x.yaml").value();
  const auto bind = [](const Config& c) {
    int b = 1;
    std::string name = "n";
    std::vector<std::int64_t> list;
    c.root().Section("a").Integer("b", b);
    c.root().Section("a").Integers("list", list);
    c.root().Text("name", name);
    EXPECT_TRUE(c.Finish().ok());
    EXPECT_EQ(b, 3);
    EXPECT_EQ(name, "x: y");
    EXPECT_EQ(list.size(), 2U);
  };
  bind(config);
  bind(Config::Parse(config.EffectiveYaml(), "again").value());
}

TEST(ConfigTest, KeysWithDotsAndItemsOfAnyKindReadBack) {
  const auto read = [](const Config& c) {
    std::vector<std::string> items;
    c.root().Section("space").Section("ppo.net").Items("choices", items);
    double low = 0;
    c.root().Section("space").Section("ppo.net").Number("low", low);
    EXPECT_EQ(low, 0.5);
    return items;
  };
  const Config config =
      Config::Parse("space:\n  ppo.net: {choices: [[64, 64], '0.5', 0.5, none], low: 0.5}\n", "x")
          .value();
  const std::vector<std::string> expected = {"[64, 64]", "\"0.5\"", "0.5", "none"};
  EXPECT_EQ(read(config), expected);
  EXPECT_TRUE(config.Finish().ok()) << config.Finish().error().message;
  EXPECT_EQ(read(Config::Parse(config.EffectiveYaml(), "again").value()), expected);
}

TEST(ConfigTest, TheEffectiveConfigKeepsListsAndReopenedSections) {
  const Config config =
      Config::Parse("a: {b: 1, c: 2}\nlist: [{x: 1, y: p}, {x: 2, y: q}]\n", "x.yaml").value();
  const auto bind = [](const Config& c) {
    int b = 0;
    int other = 0;
    c.root().Section("a").Integer("b", b);
    std::string y;
    int x = 0;
    for (const ConfigSection& item : c.root().List("list")) {
      item.Integer("x", x);
      item.Text("y", y);
    }
    c.root().Section("a").Integer("c", other);
    EXPECT_TRUE(c.Finish().ok()) << c.Finish().error().message;
    EXPECT_EQ(b, 1);
    EXPECT_EQ(other, 2);
    EXPECT_EQ(x, 2);
    EXPECT_EQ(y, "q");
  };
  bind(config);
  bind(Config::Parse(config.EffectiveYaml(), "again").value());
}

TEST(ParseDateTest, YearsThatInstantsCannotHoldAreRefused) {
  for (const std::string good : {"1678-01-01", "2017-02-28", "2020-02-29", "2261-12-31"})
    EXPECT_TRUE(ParseDate(good).ok()) << good;
  for (const std::string bad : {"0000-01-01", "0001-01-01", "1677-12-31", "2262-01-01",
                                "9999-12-31", "2017-02-29", "2017-1-1", "", "-001-01-01"}) {
    ASSERT_FALSE(ParseDate(bad).ok()) << bad;
    EXPECT_NE(ParseDate(bad).error().message.find("'" + bad + "'"), std::string::npos);
  }
  EXPECT_NE(ParseDate("2300-01-01").error().message.find("1678 to 2261"), std::string::npos);
}

TEST(Sha256Test, PiecesGiveWhatTheWholeGives) {
  // FIPS 180-2, appendix B.2.
  const std::string text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  const std::string wanted = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
  EXPECT_EQ(Sha256Hex(text), wanted);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 hash;
    hash.Add(std::string_view(text).substr(0, cut));
    hash.Add(std::string_view(text).substr(cut));
    EXPECT_EQ(hash.Hex(), wanted);
  }
}

}  // namespace
}  // namespace tw
