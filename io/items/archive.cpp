#include "eflow/io/items/archive.hpp"

#include "eflow/core/base/error.hpp"

#ifdef EFLOW_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

namespace eflow::io {

#ifdef EFLOW_LIBARCHIVE

struct Archive::Rep {
  explicit Rep(std::filesystem::path file) : path(std::move(file)) {}
  ~Rep() { archive_read_free(in); }
  Rep(const Rep&) = delete;
  Rep& operator=(const Rep&) = delete;

  [[noreturn]] void refuse() const {
    const char* text = archive_error_string(in);
    throw CorruptData(str("[archive] ", path.string(), name.empty() ? "" : ", " + name, ": ",
                          text ? text : "damaged"));
  }

  std::filesystem::path path;
  archive* in = archive_read_new();
  std::string name;
};

bool has_archives() {
  return true;
}

Archive::Archive(const std::filesystem::path& path) : rep_(std::make_unique<Rep>(path)) {
  if (!std::filesystem::is_regular_file(path))
    throw IoError(str("[archive] ", path.string(), " is not a regular file"));
  archive* in = rep_->in;
  if (!in) throw IoError("[archive] out of memory");
  // Only what is built in: for others, libarchive would run programs.
  archive_read_support_filter_gzip(in);
  archive_read_support_filter_bzip2(in);
  archive_read_support_filter_xz(in);
  archive_read_support_filter_zstd(in);
  archive_read_support_format_tar(in);
  archive_read_support_format_zip(in);
  if (archive_read_open_filename(in, path.c_str(), 1 << 20) != ARCHIVE_OK) rep_->refuse();
}

bool Archive::next() {
  for (;;) {
    rep_->name.clear();
    archive_entry* entry = nullptr;
    const int state = archive_read_next_header(rep_->in, &entry);
    if (state == ARCHIVE_EOF) return false;
    if (state != ARCHIVE_OK && state != ARCHIVE_WARN) rep_->refuse();
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    const char* name = archive_entry_pathname_utf8(entry);
    if (!name) name = archive_entry_pathname(entry);
    if (!name) continue;
    rep_->name = name;
    return true;
  }
}

const std::string& Archive::name() const {
  return rep_->name;
}

std::vector<std::byte> Archive::read(std::uint64_t limit) {
  constexpr std::size_t kStep = 1 << 20;
  std::vector<std::byte> out;
  for (;;) {
    const std::size_t begin = out.size();
    if (begin > limit) {
      throw CorruptData(str("[archive] ", rep_->path.string(), ", ", rep_->name, " has more than ",
                            limit, " bytes"));
    }
    out.resize(begin + kStep);
    const auto got = archive_read_data(rep_->in, out.data() + begin, kStep);
    if (got < 0) rep_->refuse();
    out.resize(begin + static_cast<std::size_t>(got));
    if (got == 0) return out;
  }
}

#else

struct Archive::Rep {};

bool has_archives() {
  return false;
}

Archive::Archive(const std::filesystem::path& path) {
  throw InvalidArgument(str("[archive] cannot read ", path.string(),
                            ": this eflow was built without libarchive. Install libarchive-dev and "
                            "build again, or unpack the archive into a folder"));
}

bool Archive::next() {
  return false;
}

const std::string& Archive::name() const {
  static const std::string kNone;
  return kNone;
}

std::vector<std::byte> Archive::read(std::uint64_t) {
  return {};
}

#endif

Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

}  // namespace eflow::io
