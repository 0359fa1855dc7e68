#pragma once

// Pieces of the HTML report, private to eval.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/report.h"

namespace tw::eval::internal {

/// Text for HTML content and quoted attributes. Bytes that are no UTF-8 become U+FFFD, control
/// characters blanks.
std::string EscapeHtml(std::string_view text);
/// A JSON document that is safe inside <script>: no '<', '>' or '&'.
std::string EscapeForScript(std::string_view json);

/// Millionths rounded to cents, half away from zero.
std::int64_t CentsOf(std::int64_t micros);
/// "-1,234.56".
std::string CentsText(std::int64_t cents);
/// "105,297".
std::string CountText(std::size_t count);
/// As CentsText, with a plus sign for gains.
std::string SignedCentsText(std::int64_t cents);
/// "2014-03-05 12:00".
std::string MinuteText(UnixNanos time);

/// Indices of at most `limit` points that keep the first, the last and the extremes of every column
/// in each stretch.
std::vector<std::size_t> KeepExtremes(std::span<const std::vector<double>> columns,
                                      std::size_t limit);

std::string ChartsHtml(const ReportInput& input);
/// The JSON document that the script draws.
std::string ChartData(const ReportInput& input);
std::string MonthsHtml(const ReportInput& input);
std::string CostsHtml(const ReportInput& input);
std::string HeadlineHtml(const ReportInput& input);
std::string MetricsHtml(const ReportInput& input);
std::string StrategiesHtml(const ReportInput& input);
std::string SignificanceHtml(const ReportInput& input);
std::string TradesHtml(const ReportInput& input);
std::string FingerprintHtml(const ReportInput& input);

/// The hand-written style and script.
std::string_view ReportStyle();
std::string_view ReportScript();

}  // namespace tw::eval::internal
