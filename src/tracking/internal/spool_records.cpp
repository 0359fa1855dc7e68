#include "tracking/internal/spool_records.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

namespace tw::tracking::internal {
namespace {

// Every field of a record goes through one function for both directions, so that writing and
// reading cannot drift apart.

class Writer {
 public:
  void Integer(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) out_.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
  }

  void Field(const std::int64_t& value) { Integer(static_cast<std::uint64_t>(value)); }

  void Field(const std::uint64_t& value) { Integer(value); }

  void Field(const std::uint32_t& value) { Integer(value); }

  void Field(const double& value) { Integer(std::bit_cast<std::uint64_t>(value)); }

  void Field(const bool& value) { Integer(value ? 1 : 0); }

  void Field(const RunStatus& value) { Integer(static_cast<std::uint64_t>(value)); }

  void Field(const std::string& text) {
    Integer(text.size());
    out_ += text;
  }

  template <class T, class F>
  void List(const std::vector<T>& list, F&& field) {
    Integer(list.size());
    for (const T& item : list) field(*this, item);
  }

  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  std::uint64_t Integer() {
    if (in_.size() < 8) {
      good_ = false;
      in_ = {};
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(in_[i])) << (8 * i);
    in_.remove_prefix(8);
    return value;
  }

  void Field(std::int64_t& value) { value = static_cast<std::int64_t>(Integer()); }

  void Field(std::uint64_t& value) { value = Integer(); }

  void Field(std::uint32_t& value) { value = static_cast<std::uint32_t>(Limited(0xffffffffU)); }

  void Field(double& value) { value = std::bit_cast<double>(Integer()); }

  void Field(bool& value) { value = Limited(1) == 1; }

  void Field(RunStatus& value) {
    const std::uint64_t number = Limited(5);
    good_ = good_ && number >= 1;
    value = static_cast<RunStatus>(number);
  }

  void Field(std::string& text) {
    const std::uint64_t size = Integer();
    good_ = good_ && size <= in_.size();
    text = in_.substr(0, size);
    in_.remove_prefix(text.size());
  }

  template <class T, class F>
  void List(std::vector<T>& list, F&& field) {
    // An item takes eight bytes at least, so a wild count cannot make a wild allocation.
    const std::uint64_t count = Integer();
    good_ = good_ && count <= in_.size() / 8;
    list.resize(good_ ? count : 0);
    for (T& item : list) field(*this, item);
  }

  bool AllRead() const { return good_ && in_.empty(); }

 private:
  std::uint64_t Limited(std::uint64_t limit) {
    std::uint64_t value = Integer();
    if (value <= limit) return value;
    good_ = false;
    return 0;
  }

  std::string_view in_;
  bool good_ = true;
};

// `record` is const when written.
template <class Archive>
constexpr auto kPair = [](Archive& archive, auto& pair) {
  archive.Field(pair.key);
  archive.Field(pair.value);
};

template <class Archive>
constexpr auto kFile = [](Archive& archive, auto& file) {
  archive.Field(file.path);
  archive.Field(file.content);
  archive.Field(file.blob);
  archive.Field(file.size);
  archive.Field(file.crc);
};

template <class Archive, class Record>
void Fields(Archive& a, Record& r) {
  using T = std::remove_const_t<Record>;
  if constexpr (std::is_same_v<T, ExperimentRecord>) {
    a.Field(r.name);
  } else if constexpr (std::is_same_v<T, RunRecord>) {
    a.Field(r.id), a.Field(r.experiment), a.Field(r.name), a.Field(r.parent);
    a.List(r.tags, kPair<Archive>);
    a.Field(r.start_time_ms);
  } else if constexpr (std::is_same_v<T, StatusRecord>) {
    a.Field(r.run), a.Field(r.status), a.Field(r.end_time_ms);
  } else if constexpr (std::is_same_v<T, BatchRecord>) {
    a.Field(r.run);
    a.List(r.metrics, [](Archive& archive, auto& m) {
      archive.Field(m.key), archive.Field(m.value);
      archive.Field(m.timestamp_ms), archive.Field(m.step);
    });
    a.List(r.params, kPair<Archive>);
    a.List(r.tags, kPair<Archive>);
  } else if constexpr (std::is_same_v<T, ArtifactRecord>) {
    a.Field(r.run);
    kFile<Archive>(a, r.file);
  } else if constexpr (std::is_same_v<T, ModelRecord>) {
    a.Field(r.id), a.Field(r.run), a.Field(r.name);
    a.List(r.files, kFile<Archive>);
  } else if constexpr (std::is_same_v<T, VersionRecord>) {
    a.Field(r.version), a.Field(r.name), a.Field(r.model), a.Field(r.description);
    a.List(r.tags, kPair<Archive>);
  } else if constexpr (std::is_same_v<T, VersionTagRecord>) {
    a.Field(r.name), a.Field(r.version);
    kPair<Archive>(a, r.tag);
  } else if constexpr (std::is_same_v<T, AliasRecord>) {
    a.Field(r.name), a.Field(r.alias), a.Field(r.version);
  } else {
    static_assert(std::is_same_v<T, LifecycleRecord>);
    a.Field(r.run), a.Field(r.deleted);
  }
}

template <std::size_t I = 0>
Result<SpoolRecord> DecodeAs(std::uint8_t type, std::string_view payload) {
  if constexpr (I < std::variant_size_v<SpoolRecord>) {
    if (type != I) return DecodeAs<I + 1>(type, payload);
    std::variant_alternative_t<I, SpoolRecord> record;
    Reader reader(payload);
    Fields(reader, record);
    if (reader.AllRead()) return SpoolRecord(std::move(record));
    return Error{ErrorCode::kBadData, fmt::format("record of type {}: wrong length", type)};
  }
  return Error{ErrorCode::kBadData, fmt::format("record of unknown type {}", type)};
}

}  // namespace

bool IsPending(std::string_view id) { return id.starts_with(kPending); }

std::string VersionRecord::Key() const {
  return fmt::format("{}version{:016x}", kPending, static_cast<std::uint64_t>(version));
}

std::string Encode(const SpoolRecord& record) {
  Writer writer;
  std::visit([&writer](const auto& r) { Fields(writer, r); }, record);
  return writer.Take();
}

Result<SpoolRecord> Decode(std::uint8_t type, std::string_view payload) {
  return DecodeAs(type, payload);
}

std::string Describe(const SpoolRecord& record) {
  struct Visitor {
    std::string operator()(const ExperimentRecord& r) const { return "experiment " + r.name; }

    std::string operator()(const RunRecord& r) const { return "run " + r.name; }

    std::string operator()(const StatusRecord& r) const {
      return fmt::format("status {} of run {}", NameOf(r.status), r.run);
    }

    std::string operator()(const BatchRecord& r) const {
      // A batch of one names it: dead letters are told apart by it.
      const std::size_t size = r.metrics.size() + r.params.size() + r.tags.size();
      if (size == 1 && !r.metrics.empty()) {
        const Metric& m = r.metrics.front();
        return fmt::format("metric {} at step {}, {} of run {}", m.key, m.step, m.timestamp_ms,
                           r.run);
      }
      if (size == 1) {
        const bool param = !r.params.empty();
        return fmt::format("{} {} of run {}", param ? "parameter" : "tag",
                           (param ? r.params : r.tags).front().key, r.run);
      }
      return fmt::format("{} metrics, {} parameters, {} tags of run {}", r.metrics.size(),
                         r.params.size(), r.tags.size(), r.run);
    }

    std::string operator()(const ArtifactRecord& r) const {
      return fmt::format("file {} of run {}", r.file.path, r.run);
    }

    std::string operator()(const ModelRecord& r) const {
      return fmt::format("model {} of run {}", r.name, r.run);
    }

    std::string operator()(const VersionRecord& r) const { return "a version of " + r.name; }

    std::string operator()(const VersionTagRecord& r) const {
      return fmt::format("tag {} of a version of {}", r.tag.key, r.name);
    }

    std::string operator()(const AliasRecord& r) const {
      return fmt::format("alias {} of {}", r.alias, r.name);
    }

    std::string operator()(const LifecycleRecord& r) const {
      return fmt::format("{} of run {}", r.deleted ? "deletion" : "restoring", r.run);
    }
  };

  return std::visit(Visitor(), record);
}

std::string RunOf(const SpoolRecord& record) {
  return std::visit(
      [](const auto& r) -> std::string {
        if constexpr (requires { r.run; }) {
          return r.run;
        } else if constexpr (std::is_same_v<std::remove_cvref_t<decltype(r)>, RunRecord>) {
          return r.id;
        } else {
          return {};
        }
      },
      record);
}

std::vector<std::string> BlobsOf(const SpoolRecord& record) {
  std::vector<std::string> blobs;
  const auto add = [&blobs](const FileBody& file) {
    if (!file.blob.empty()) blobs.push_back(file.blob);
  };
  if (const auto* artifact = std::get_if<ArtifactRecord>(&record)) add(artifact->file);
  if (const auto* model = std::get_if<ModelRecord>(&record)) {
    for (const FileBody& file : model->files) add(file);
  }
  return blobs;
}

}  // namespace tw::tracking::internal
