// S3's XML answers.
#include <fmt/core.h>

#include <charconv>
#include <pugixml.hpp>
#include <utility>

#include "net/s3.h"
#include "net/url.h"

namespace tw::net {
namespace {

Error Garbage(std::string_view what, std::string_view xml) {
  return {ErrorCode::kExternal, fmt::format("S3's answer: {}: '{}'", what, Excerpt(xml, 120))};
}

/// In encoding-type=url a blank is a plus.
std::string Decoded(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) c = c == '+' ? ' ' : c;
  return UnescapeUrl(plain);
}

bool Load(pugi::xml_document& document, std::string_view xml) {
  return static_cast<bool>(document.load_buffer(xml.data(), xml.size()));
}

}  // namespace

Result<S3Page> ParseS3Page(std::string_view xml) {
  pugi::xml_document document;
  if (!Load(document, xml)) return Garbage("no XML", xml);
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!root) return Garbage("no ListBucketResult", xml);
  const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
  S3Page page;
  for (const pugi::xml_node item : root.children("Contents")) {
    S3Object object;
    const std::string_view key = item.child_value("Key");
    object.key = encoded ? Decoded(key) : std::string(key);
    const std::string_view size = item.child_value("Size");
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
    const bool whole = error == std::errc() && end == size.data() + size.size();
    if (object.key.empty() || !whole || object.size < 0)
      return Garbage("an entry without key or size", xml);
    object.etag = item.child_value("ETag");
    page.objects.push_back(std::move(object));
  }
  const bool more = std::string_view(root.child_value("IsTruncated")) == "true";
  if (!more) return page;
  page.next = root.child_value("NextContinuationToken");
  if (page.next.empty()) return Garbage("a page without the next one's token", xml);
  return page;
}

Result<std::string> ParseS3UploadId(std::string_view xml) {
  pugi::xml_document document;
  if (!Load(document, xml)) return Garbage("no XML", xml);
  std::string id = document.child("InitiateMultipartUploadResult").child_value("UploadId");
  if (id.empty()) return Garbage("no UploadId", xml);
  return id;
}

std::string ParseS3Error(std::string_view xml) {
  pugi::xml_document document;
  if (!Load(document, xml)) return {};
  const pugi::xml_node root = document.child("Error");
  if (!root) return {};
  return fmt::format("{}: {}", Excerpt(root.child_value("Code"), 60),
                     Excerpt(root.child_value("Message"), 200));
}

}  // namespace tw::net
