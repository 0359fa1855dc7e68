#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

#include "store/import/import.h"
#include "store/import/report_json.h"

namespace tw::store {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFilesListed = 12;

void AddCounts(const std::map<std::string, std::int64_t>& counts, std::string& out) {
  for (const auto& [reason, count] : counts) out += fmt::format("  {:>9}  {}\n", count, reason);
}

void AddExamples(const std::vector<RowExample>& examples, std::string& out) {
  std::size_t listed = 0;
  for (const RowExample& example : examples) {
    if (++listed > 5) break;
    out += fmt::format("             {} line {}: {} ({})\n", example.file, example.line,
                       example.text, example.reason);
  }
}

void AddFiles(const ImportReport& report, std::string& out) {
  std::size_t listed = 0;
  for (const FileReport& file : report.files) {
    if (++listed > kFilesListed) break;
    out += fmt::format("{}\n  {}, {}, {} rows", file.name, file.format, file.side, file.rows);
    if (file.first && file.last)
      out += fmt::format(", {} to {}", FormatIso(*file.first), FormatIso(*file.last));
    out += fmt::format("\n  zone {}: {}\n", file.zone, file.zone_reason);
  }
  if (report.files.size() > kFilesListed)
    out += fmt::format("... and {} more files\n", report.files.size() - kFilesListed);
}

Json CountsJson(const std::map<std::string, std::int64_t>& counts) {
  Json json = Json::object();
  for (const auto& [reason, count] : counts) json[reason] = count;
  return json;
}

Json ExamplesJson(const std::vector<RowExample>& examples) {
  Json json = Json::array();
  for (const RowExample& example : examples) {
    json.push_back({{"reason", example.reason},
                    {"file", example.file},
                    {"line", example.line},
                    {"text", example.text}});
  }
  return json;
}

Json FileJson(const FileReport& file) {
  return {{"name", file.name},
          {"sha256", file.sha256},
          {"format", file.format},
          {"side", file.side},
          {"zone", file.zone},
          {"zone_reason", file.zone_reason},
          {"suspected_zone", file.suspected_zone},
          {"rows", file.rows},
          {"duplicates", file.duplicates},
          {"quarantined", file.quarantined},
          {"fillers", file.fillers},
          {"first", file.first ? Json(FormatIso(*file.first)) : Json(nullptr)},
          {"last", file.last ? Json(FormatIso(*file.last)) : Json(nullptr)},
          {"ordered", file.ordered}};
}

Json TicksJson(const TickReport& ticks, const Instrument& instrument) {
  return {{"quotes", ticks.quotes},
          {"same_time", ticks.same_time},
          {"longest_silence_s",
           static_cast<double>(ticks.longest_silence_nanos) / static_cast<double>(kNanosPerSecond)},
          {"spread", SpreadJson(ticks.spread, instrument)}};
}

}  // namespace

std::string ImportText(const ImportReport& report, const Instrument& instrument) {
  std::string out;
  AddFiles(report, out);
  out += fmt::format("{} {}: {} bars from {} rows of {}\n", report.instrument,
                     report.timeframe.name(), report.bars, report.rows, report.source_bars);
  out += fmt::format("duplicates   {} exact repeats dropped\n", report.duplicates);
  out += fmt::format("quarantined  {}\n", report.quarantined);
  AddCounts(report.quarantined_by_reason, out);
  AddExamples(report.quarantined_examples, out);
  out += fmt::format("repaired     {}\n", report.repaired);
  AddCounts(report.repaired_by_reason, out);
  AddExamples(report.repaired_examples, out);
  if (report.ticks) {
    out += fmt::format(
        "ticks        {} quotes, {} at the time of the one before, longest silence {:.0f} s; "
        "spread {}\n",
        report.ticks->quotes, report.ticks->same_time,
        static_cast<double>(report.ticks->longest_silence_nanos) /
            static_cast<double>(kNanosPerSecond),
        SpreadText(report.ticks->spread, instrument));
  }
  if (report.source_spread)
    out +=
        fmt::format("spread       as found: {}\n", SpreadText(*report.source_spread, instrument));
  for (const std::string& note : report.notes) out += fmt::format("note         {}\n", note);
  return out + QualityText(report.quality, instrument);
}

std::string ImportJson(const ImportReport& report, const Instrument& instrument) {
  Json json = {
      {"instrument", report.instrument},
      {"freq", report.timeframe.name()},
      {"source_bars", report.source_bars},
      {"rows", report.rows},
      {"bars", report.bars},
      {"duplicates", report.duplicates},
      {"quarantined", report.quarantined},
      {"repaired", report.repaired},
      {"quarantined_by_reason", CountsJson(report.quarantined_by_reason)},
      {"repaired_by_reason", CountsJson(report.repaired_by_reason)},
      {"examples",
       {{"quarantined", ExamplesJson(report.quarantined_examples)},
        {"repaired", ExamplesJson(report.repaired_examples)},
        {"duplicates", ExamplesJson(report.duplicate_examples)}}},
      {"first", report.quality.first ? Json(FormatIso(*report.quality.first)) : Json(nullptr)},
      {"last", report.quality.last ? Json(FormatIso(*report.quality.last)) : Json(nullptr)},
      {"coverage", report.quality.coverage},
      {"ohlc_violations", report.quality.ohlc_violations}};
  json["spread"] =
      report.source_spread ? SpreadJson(*report.source_spread, instrument) : Json(nullptr);
  json["ticks"] = report.ticks ? TicksJson(*report.ticks, instrument) : Json(nullptr);
  json["notes"] = report.notes;
  json["files"] = Json::array();
  for (const FileReport& file : report.files) json["files"].push_back(FileJson(file));
  json["quality"] = QualityToJson(report.quality, instrument);
  return json.dump(2);
}

}  // namespace tw::store
