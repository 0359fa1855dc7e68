#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace tw {

Error SystemError(std::string_view what, const std::string& path) {
  const int code = errno;
  return Error{code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               fmt::format("{}: cannot {}: {}", path, what, std::generic_category().message(code))};
}

namespace {

std::string DirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;

  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError("open", path);

  struct stat info {};

  if (::fstat(file.get(), &info) != 0) return SystemError("stat", path);
  if (S_ISDIR(info.st_mode))
    return Error{ErrorCode::kIo, fmt::format("{}: is a directory, wanted a file", path)};
  std::string out;
  out.reserve(static_cast<std::size_t>(info.st_size) + 1);
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path);
    if (got == 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<void> WriteFileAtomically(const std::string& path, std::string_view content) {
  struct stat there {};

  // The rename below would put a file in the place of /dev/stdout, for everybody and for good.
  if (::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return Error{ErrorCode::kIo,
                 fmt::format("{}: is a {}, wanted a file", path,
                             S_ISDIR(there.st_mode) ? "directory" : "pipe or device")};
  }
  std::string temporary = path + ".tmp.XXXXXX";
  Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return SystemError("create", temporary);
  const auto fail = [&](std::string_view what) {
    Error error = SystemError(what, path);
    ::unlink(temporary.c_str());
    return error;
  };
  if (::fchmod(file.get(), 0644) != 0) return fail("set the mode of");
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t put = ::write(file.get(), content.data() + written, content.size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail("write");
    written += static_cast<std::size_t>(put);
  }
  if (::fsync(file.get()) != 0) return fail("sync");
  if (::close(file.Release()) != 0) return fail("close");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail("replace");
  return SyncDirectory(DirectoryOf(path));
}

Result<void> CreateDirectories(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code)
    return Error{ErrorCode::kIo,
                 fmt::format("{}: cannot create the directory: {}", path, code.message())};
  return {};
}

Result<void> SyncDirectory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return SystemError("open", path);
  if (::fsync(directory.get()) != 0) return SystemError("sync", path);
  return {};
}

Result<FileLock> FileLock::Acquire(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0) return SystemError("open", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Error{ErrorCode::kBusy, fmt::format("{}: locked by another process", path)};
    }
    return SystemError("lock", path);
  }
  return FileLock(file.Release());
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<MappedFile> MappedFile::Open(const std::string& path) {
  // Without O_NONBLOCK a named pipe that nobody writes to would hold us here for ever.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return SystemError("open", path);

  struct stat info {};

  if (::fstat(file.get(), &info) != 0) return SystemError("stat", path);
  if (S_ISDIR(info.st_mode))
    return Error{ErrorCode::kIo, fmt::format("{}: is a directory, wanted a file", path)};
  if (!S_ISREG(info.st_mode))
    return Error{ErrorCode::kIo, fmt::format("{}: is a pipe or device, wanted a file", path)};
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return SystemError("map", path);
  return MappedFile(data, size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  auto* const context = static_cast<EVP_MD_CTX*>(context_);
  TW_CHECK(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1,
           "SHA-256 is not available in OpenSSL");
}

Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

void Sha256::Add(std::string_view data) {
  TW_CHECK(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), data.data(), data.size()) == 1,
           "SHA-256 of {} bytes", data.size());
}

std::string Sha256::Hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  TW_CHECK(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest.data(), &length) == 1,
           "SHA-256 was asked for twice");
  std::string out;
  for (unsigned int i = 0; i < length; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

std::string Sha256Hex(std::string_view data) {
  Sha256 hash;
  hash.Add(data);
  return hash.Hex();
}

}  // namespace tw
