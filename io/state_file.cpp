#include "eflow/io/state_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "eflow/base/atomic_file.hpp"
#include "eflow/base/error.hpp"
#include "eflow/io/h5.hpp"

namespace eflow::io {
namespace {

std::uint64_t create_array(const h5::Id& file, const h5::Id& links, const NamedBytes& array,
                           const std::string& name) {
  const h5::Id layout = h5::make_properties(H5P_DATASET_CREATE, name);
  h5::check(H5Pset_obj_track_times(layout.get(), false), "H5Pset_obj_track_times", name);
  h5::check(H5Pset_layout(layout.get(), H5D_CONTIGUOUS), "H5Pset_layout", name);
  // The space is reserved now and filled by us later.
  h5::check(H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY), "H5Pset_alloc_time", name);
  h5::check(H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER), "H5Pset_fill_time", name);
  h5::Id data(
      H5Dcreate2(file.get(), array.name.c_str(), h5::file_type(array.dtype, name).get(),
                 h5::space(array.shape, name).get(), links.get(), layout.get(), H5P_DEFAULT),
      H5Dclose, str("H5Dcreate2 ", array.name).c_str(), name);
  h5::write_attribute(data, "dtype", std::string(name_of(array.dtype)), name);
  const haddr_t offset = array.bytes.empty() ? 0 : H5Dget_offset(data.get());
  if (offset == HADDR_UNDEF) h5::check(-1, "H5Dget_offset", name);
  data.close();
  return offset;
}

std::vector<std::uint64_t> write_structure(const std::filesystem::path& path,
                                           std::span<const NamedBytes> arrays) {
  const std::string name = path.string();
  const h5::Session session;
  h5::Id file(H5Fcreate(name.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT), H5Fclose,
              "H5Fcreate", name);
  const h5::Id links = h5::make_properties(H5P_LINK_CREATE, name);
  h5::check(H5Pset_create_intermediate_group(links.get(), 1), "H5Pset_create_intermediate_group",
            name);
  std::vector<std::uint64_t> offsets;
  for (const NamedBytes& array : arrays) offsets.push_back(create_array(file, links, array, name));
  h5::check(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), "H5Fflush", name);
  file.close();
  return offsets;
}

/// Takes the disk blocks of the whole file before the long write; a file system that cannot is left
/// to the write itself.
void reserve_blocks(const FileDescriptor& file, const std::filesystem::path& path) {
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  if (size < 0) throw_errno("seek", path.string());
  if (size > 0 && ::fallocate(file.get(), 0, 0, size) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS) {
    throw_errno("reserve space for", path.string());
  }
}

}  // namespace

std::vector<std::uint64_t> write_state_file(const std::filesystem::path& path,
                                            std::span<const NamedBytes> arrays) {
  std::vector<std::uint64_t> offsets = write_structure(path, arrays);
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) throw_errno("open", path.string());
  reserve_blocks(file, path);
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (arrays[i].bytes.empty()) continue;
    if (::lseek(file.get(), static_cast<off_t>(offsets[i]), SEEK_SET) < 0) {
      throw_errno("seek", path.string());
    }
    write_all(file, path, arrays[i].bytes);
  }
  sync_file(file, path);
  file.close(path.string());
  return offsets;
}

}  // namespace eflow::io
