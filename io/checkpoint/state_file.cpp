#include "eflow/io/checkpoint/state_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"
#include "eflow/io/shard/h5.hpp"
#include "eflow/io/shard/shard_format.hpp"

namespace eflow::io {
namespace {

std::uint64_t whole_bytes(const NamedBytes& array) {
  return static_cast<std::uint64_t>(element_count(array.shape)) * size_of(array.dtype);
}

bool is_whole(const NamedBytes& array) {
  return array.bytes.size() == whole_bytes(array);
}

/// The shape of the elements that are given.
Shape given_shape(const NamedBytes& array) {
  if (is_whole(array)) return array.shape;
  return {static_cast<std::int64_t>(array.bytes.size() / size_of(array.dtype))};
}

std::uint64_t create_array(const h5::Id& file, const h5::Id& links, const NamedBytes& array,
                           const std::string& name) {
  const h5::Id layout = h5::make_properties(H5P_DATASET_CREATE, name);
  h5::check(H5Pset_obj_track_times(layout.get(), false), "H5Pset_obj_track_times", name);
  h5::check(H5Pset_layout(layout.get(), H5D_CONTIGUOUS), "H5Pset_layout", name);
  // HDF5 reserves the space; write_state_file() fills it.
  h5::check(H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY), "H5Pset_alloc_time", name);
  h5::check(H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER), "H5Pset_fill_time", name);
  h5::Id data(
      H5Dcreate2(file.get(), array.name.c_str(), h5::file_type(array.dtype, name).get(),
                 h5::space(given_shape(array), name).get(), links.get(), layout.get(), H5P_DEFAULT),
      H5Dclose, str("H5Dcreate2 ", array.name).c_str(), name);
  h5::write_attribute(data, "dtype", std::string(name_of(array.dtype)), name);
  if (!is_whole(array)) {
    h5::write_attribute(data, "whole", str(array.shape), name);
    h5::write_attribute(data, "first", str(array.first), name);
  }
  const haddr_t offset = array.bytes.empty() ? 0 : H5Dget_offset(data.get());
  if (offset == HADDR_UNDEF) h5::check(-1, "H5Dget_offset", name);
  data.close();
  return offset;
}

/// The attribute of a file that says whose part of which checkpoint it is.
constexpr const char* kLabelName = "part";

/// A file for the layout: anonymous and in memory, or, where a sandbox refuses that, `on_disk`,
/// which the destructor removes. HDF5 never writes the array bytes, so the file stays sparse and
/// only its HDF5 structure takes space.
struct LayoutFile {
  FileDescriptor file;
  std::filesystem::path path;
  bool named = false;

  explicit LayoutFile(const std::filesystem::path& on_disk)
      : file(::memfd_create("eflow-state", MFD_CLOEXEC)) {
    if (file.valid()) path = str("/proc/self/fd/", file.get());
    if (file.valid() && ::access(path.c_str(), R_OK | W_OK) == 0) return;
    path = on_disk;
    file = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid()) throw_errno("create", path.string());
    named = true;
  }
  ~LayoutFile() {
    if (named) ::unlink(path.c_str());
  }
  LayoutFile(const LayoutFile&) = delete;
  LayoutFile& operator=(const LayoutFile&) = delete;
  [[nodiscard]] std::uint64_t size() const {
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
    return static_cast<std::uint64_t>(info.st_size);
  }
  [[nodiscard]] std::vector<std::byte> read(const ByteRange& range) const {
    std::vector<std::byte> bytes(range.bytes);
    read_at(file, path, range.offset, bytes);
    return bytes;
  }
};

std::vector<std::uint64_t> lay_out(const LayoutFile& memory, std::span<const NamedBytes> arrays,
                                   const std::string& label) {
  const std::string name = memory.path.string();
  const h5::Session session;
  const h5::Id access = h5::make_properties(H5P_FILE_ACCESS, name);
  // The default driver resolves the link to a path name, which an in-memory file lacks; stdio does
  // not.
  h5::check(H5Pset_fapl_stdio(access.get()), "H5Pset_fapl_stdio", name);
#if H5_VERSION_GE(1, 10, 7)
  // Nobody else has this file, and not every file system has locks.
  h5::check(H5Pset_file_locking(access.get(), false, true), "H5Pset_file_locking", name);
#endif
  h5::Id file(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose,
              "H5Fcreate", name);
  const h5::Id links = h5::make_properties(H5P_LINK_CREATE, name);
  h5::check(H5Pset_create_intermediate_group(links.get(), 1), "H5Pset_create_intermediate_group",
            name);
  std::vector<std::uint64_t> offsets;
  for (const NamedBytes& array : arrays) offsets.push_back(create_array(file, links, array, name));
  if (!label.empty()) h5::write_attribute(file, kLabelName, label, name);
  h5::check(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), "H5Fflush", name);
  file.close();
  return offsets;
}

/// Checks the file size limit first: hitting it would interrupt HDF5 in the middle of its layout.
void require_size_allowed(std::uint64_t bytes, const std::filesystem::path& path) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      limit.rlim_cur < bytes) {
    throw NoSpaceError(str("[checkpoint] ", path.string(), " may take ", bytes,
                           " bytes, but files of this process are limited to ", limit.rlim_cur,
                           "; raise the limit (ulimit -f)"));
  }
}

/// Allocates the disk blocks of the whole file up front, so that a full disk fails before the long
/// write. File systems without fallocate report it during the write.
void reserve_blocks(const FileDescriptor& file, std::uint64_t bytes,
                    const std::filesystem::path& path) {
  if (::fallocate(file.get(), 0, 0, static_cast<off_t>(bytes)) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS) {
    throw_errno("reserve space for", path.string());
  }
}

void write_at(const FileDescriptor& file, const std::filesystem::path& path, std::uint64_t offset,
              std::span<const std::byte> bytes) {
  if (::lseek(file.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
    throw_errno("seek", path.string());
  }
  write_all(file, path, bytes);
}

}  // namespace

void check_saved_arrays(std::int64_t step, std::span<const NamedBytes> arrays) {
  if (step < 0) throw InvalidArgument(str("[checkpoint] step ", step, " is negative"));
  std::set<std::string> names;
  for (const NamedBytes& array : arrays) {
    check_array_name(array.name);
    if (!names.insert(array.name).second) {
      throw InvalidArgument(str("[checkpoint] duplicate array name ", array.name));
    }
    const std::uint64_t bytes = whole_bytes(array), size = size_of(array.dtype);
    if (array.first % kSaveBlock != 0 || array.bytes.size() % size != 0 ||
        array.first * size > bytes || array.bytes.size() > bytes - array.first * size) {
      throw InvalidArgument(
          str("[checkpoint] array ", array.name, ": ", array.bytes.size(), " bytes from element ",
              array.first, " on are no part of ", array.shape, " ", array.dtype, ", which takes ",
              bytes, " bytes; parts begin with a multiple of ", kSaveBlock, " elements"));
    }
  }
}

void require_whole(const NamedBytes& array) {
  if (is_whole(array) && array.first == 0) return;
  throw InvalidArgument(str("[checkpoint] array ", array.name, ": ", array.shape, " ", array.dtype,
                            " takes ", whole_bytes(array), " bytes, but ", array.bytes.size(),
                            " were given"));
}

std::uint64_t state_file_bound(std::span<const NamedBytes> arrays) {
  std::uint64_t bytes = 16 << 10;
  for (const NamedBytes& array : arrays)
    bytes += array.bytes.size() + array.name.size() + (is_whole(array) ? 1024 : 2048);
  return bytes;
}

StateLayout write_state_file(const std::filesystem::path& path, std::span<const NamedBytes> arrays,
                             const std::string& label) {
  require_size_allowed(state_file_bound(arrays), path);
  std::filesystem::path on_disk = path;
  on_disk += ".layout";
  const LayoutFile memory(on_disk);
  StateLayout layout;
  layout.offsets = lay_out(memory, arrays, label);
  layout.bytes = memory.size();
  std::vector<ByteRange> taken;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (!arrays[i].bytes.empty()) taken.push_back({layout.offsets[i], arrays[i].bytes.size()});
  }
  const std::vector<ByteRange> gaps = gaps_between(std::move(taken), 0, layout.bytes, path);
  layout.structure_hash = hash_of_gaps(gaps, [&](const ByteRange& g) { return memory.read(g); });

  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.valid()) throw_errno("create", path.string());
  reserve_blocks(file, layout.bytes, path);
  for (const ByteRange& gap : gaps) write_at(file, path, gap.offset, memory.read(gap));
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (!arrays[i].bytes.empty()) write_at(file, path, layout.offsets[i], arrays[i].bytes);
  }
  sync_file(file, path);
  file.close(path.string());
  return layout;
}

}  // namespace eflow::io
