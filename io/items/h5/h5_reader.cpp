#include "eflow/io/items/h5/h5_reader.hpp"

#include <hdf5.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/io/arrays/element.hpp"
#include "eflow/io/shard/h5.hpp"
#include "eflow/io/shard/h5_zstd_filter.hpp"

namespace eflow::io {
namespace {

using h5::Id;

constexpr int kMostRank = 8;
constexpr std::size_t kMostListed = 20;

/// One array of the file, checked.
struct Array {
  Id set;
  Id type;  ///< in memory
  std::optional<Element> element{};
  std::vector<hsize_t> sizes{};
  std::size_t row_bytes = 0;
};

std::string type_name(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return str(H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "i", 8 * H5Tget_size(type));
    case H5T_FLOAT:
      return str("f", 8 * H5Tget_size(type));
    case H5T_STRING:
      return "strings";
    default:
      return "records, references or variable-length values";
  }
}

bool is_float(hid_t type, std::size_t size, std::size_t exponent, std::size_t mantissa) {
  std::size_t sign = 0, epos = 0, esize = 0, mpos = 0, msize = 0;
  if (H5Tget_class(type) != H5T_FLOAT || H5Tget_size(type) != size) return false;
  if (H5Tget_order(type) != H5T_ORDER_LE || H5Tget_precision(type) != 8 * size) return false;
  if (H5Tget_fields(type, &sign, &epos, &esize, &mpos, &msize) < 0) return false;
  return sign == 8 * size - 1 && epos == mantissa && esize == exponent && mpos == 0 &&
         msize == mantissa && H5Tget_ebias(type) == (std::size_t{1} << (exponent - 1)) - 1 &&
         H5Tget_norm(type) == H5T_NORM_IMPLIED && H5Tget_offset(type) == 0;
}

bool is_integer(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  return H5Tget_class(type) == H5T_INTEGER && (size == 1 || size == 2 || size == 4 || size == 8) &&
         H5Tget_precision(type) == 8 * size && H5Tget_offset(type) == 0 &&
         (size == 1 || H5Tget_order(type) == H5T_ORDER_LE || H5Tget_order(type) == H5T_ORDER_BE);
}

std::optional<Element> element_of(hid_t type) {
  if (is_integer(type) && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE)
    return Element::kU8;
  if (is_float(type, 2, 5, 10)) return Element::kF16;
  if (is_float(type, 2, 8, 7)) return Element::kBF16;
  if (is_float(type, 4, 8, 23)) return Element::kF32;
  if (is_float(type, 8, 11, 52)) return Element::kF64;
  return std::nullopt;
}

/// Names of arrays, for messages: breadth first, hard links alone.
void list_arrays(hid_t group, const std::string& prefix, int depth, std::vector<std::string>& out) {
  H5G_info_t info;
  if (H5Gget_info(group, &info) < 0) return;
  for (hsize_t i = 0; i < std::min<hsize_t>(info.nlinks, 1000) && out.size() < kMostListed; ++i) {
    H5L_info_t link;
    if (H5Lget_info_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, &link, H5P_DEFAULT) < 0 ||
        link.type != H5L_TYPE_HARD)
      continue;
    char name[256] = {};
    if (H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                           H5P_DEFAULT) < 0)
      continue;
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) continue;
    const std::string path = str(prefix, "/", name);
    if (H5Iget_type(object) == H5I_DATASET) out.push_back(path);
    if (H5Iget_type(object) == H5I_GROUP && depth < 4) list_arrays(object, path, depth + 1, out);
    H5Oclose(object);
  }
}

[[noreturn]] void refuse_path(hid_t file, const std::string& path) {
  std::vector<std::string> arrays;
  list_arrays(file, "", 0, arrays);
  std::string names;
  for (const std::string& name : arrays) names += str(names.empty() ? "" : ", ", name);
  throw InvalidArgument(str("it has no array \"", path, "\"; it has ",
                            names.empty() ? "none that can be found" : names));
}

/// Every part of the path must be a hard link: others lead to other files.
void check_links(hid_t file, const std::string& path) {
  if (path.empty() || path.front() != '/' || path.back() == '/') refuse_path(file, path);
  for (std::size_t end = 1; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    H5L_info_t link;
    if (H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0 ||
        H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT) < 0)
      refuse_path(file, path);
    if (link.type != H5L_TYPE_HARD)
      throw InvalidArgument(str(part, " is a soft or external link; name the array itself"));
  }
}

void check_layout(const Id& set, const std::string& path) {
  const Id plan(H5Dget_create_plist(set.get()), H5Pclose, "H5Dget_create_plist", path);
  const H5D_layout_t layout = H5Pget_layout(plan.get());
  if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
    throw InvalidArgument(str(path,
                              " is a virtual array; only compact, contiguous and chunked ones "
                              "are read"));
  if (H5Pget_external_count(plan.get()) != 0)
    throw InvalidArgument(str(path, " is stored in other files"));
  if (layout != H5D_CHUNKED) return;
  hsize_t chunk[kMostRank] = {};
  const int rank = H5Pget_chunk(plan.get(), kMostRank, chunk);
  std::uint64_t elements = 1;
  for (int i = 0; i < rank; ++i) {
    if (chunk[i] == 0 || chunk[i] > kMaxH5Row / elements)
      throw CorruptData(str(path, " has chunks above ", kMaxH5Row, " elements"));
    elements *= chunk[i];
  }
  const int filters = H5Pget_nfilters(plan.get());
  if (filters < 0 || filters > 8) throw CorruptData(str(path, " has ", filters, " filters"));
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(plan.get(), static_cast<unsigned>(i), &flags,
                                               &values, nullptr, 0, nullptr, &config);
    const bool known = filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE ||
                       filter == H5Z_FILTER_FLETCHER32 || filter == kH5ZstdFilter;
    if (!known) {
      throw InvalidArgument(str(path, " is compressed with filter ", filter,
                                "; gzip, shuffle, fletcher32 and zstd are read. Write it again in "
                                "Python with compression='gzip'"));
    }
  }
}

Array open_array(hid_t file, const std::string& path, bool integers) {
  check_links(file, path);
  const Id object(H5Oopen(file, path.c_str(), H5P_DEFAULT), H5Oclose, "H5Oopen", path);
  if (H5Iget_type(object.get()) != H5I_DATASET) refuse_path(file, path);
  Id set(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose, "H5Dopen", path);
  const Id type(H5Dget_type(set.get()), H5Tclose, "H5Dget_type", path);
  const auto element = integers ? std::nullopt : element_of(type.get());
  if (integers ? !is_integer(type.get()) : !element) {
    throw InvalidArgument(str(path, " holds ", type_name(type.get()), "; expected ",
                              integers ? "integers" : "u8, f16, bf16, f32 or f64, little-endian"));
  }
  const std::size_t size = integers ? 8 : io::size_of(*element);
  // The element type of the file, so that nothing is converted; labels become i64.
  Array out{std::move(set),
            Id(H5Tcopy(integers ? H5T_NATIVE_INT64 : type.get()), H5Tclose, "H5Tcopy", path),
            element,
            {},
            0};
  check_layout(out.set, path);
  const Id space(H5Dget_space(out.set.get()), H5Sclose, "H5Dget_space", path);
  if (H5Sget_simple_extent_type(space.get()) != H5S_SIMPLE)
    throw InvalidArgument(str(path, " is no array"));
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 1 || rank > kMostRank)
    throw InvalidArgument(str(path, " has ", rank, " axes; expected 1 to ", kMostRank));
  out.sizes.resize(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), out.sizes.data(), nullptr);
  std::uint64_t elements = 1;
  for (std::size_t i = 1; i < out.sizes.size(); ++i) {
    if (out.sizes[i] == 0 || out.sizes[i] > kMaxH5Row / size / elements)
      throw InvalidArgument(str(path, " has rows that are empty or above ", kMaxH5Row, " bytes"));
    elements *= out.sizes[i];
  }
  out.row_bytes = elements * size;
  if (out.sizes[0] > static_cast<hsize_t>(std::numeric_limits<std::int64_t>::max()) ||
      (integers && elements != 1))
    throw InvalidArgument(str(path, " does not have one row per clip"));
  return out;
}

void read_row(const Array& array, hsize_t row, const std::string& path,
              std::vector<std::byte>& bytes) {
  const Id space(H5Dget_space(array.set.get()), H5Sclose, "H5Dget_space", path);
  std::vector<hsize_t> start(array.sizes.size()), count = array.sizes;
  start[0] = row, count[0] = 1;
  h5::check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(),
                                nullptr),
            "H5Sselect_hyperslab", path);
  const Id memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose,
                  "H5Screate_simple", path);
  bytes.resize(array.row_bytes);
  h5::check(H5Dread(array.set.get(), array.type.get(), memory.get(), space.get(), H5P_DEFAULT,
                    bytes.data()),
            "H5Dread", path);
}

H5Info::Array describe(const Array& array) {
  H5Info::Array out;
  out.element = static_cast<std::uint32_t>(*array.element);
  out.rank = static_cast<std::uint32_t>(array.sizes.size() - 1);
  for (std::size_t i = 1; i < array.sizes.size(); ++i)
    out.sizes[i - 1] = static_cast<std::int64_t>(array.sizes[i]);
  return out;
}

}  // namespace

void send_h5(const std::string& file, const H5Paths& paths, Sender& sender) {
  const h5::Session session;
  const Id in(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "H5Fopen", file);
  const Array clip = open_array(in.get(), paths.clip, false);
  std::optional<Array> labels, context;
  if (!paths.labels.empty()) labels.emplace(open_array(in.get(), paths.labels, true));
  if (!paths.context.empty()) context.emplace(open_array(in.get(), paths.context, false));
  const auto same_rows = [&](const std::optional<Array>& array, const std::string& path) {
    if (array && array->sizes[0] != clip.sizes[0]) {
      throw InvalidArgument(
          str(path, " has ", array->sizes[0], " rows and ", paths.clip, " has ", clip.sizes[0]));
    }
  };
  same_rows(labels, paths.labels);
  same_rows(context, paths.context);
  H5Info info{static_cast<std::int64_t>(clip.sizes[0]), describe(clip), {}};
  if (context) info.context = describe(*context);
  sender.send(kH5Info, std::as_bytes(std::span(&info, 1)));
  std::vector<std::byte> bytes;
  for (hsize_t row = 0; row < clip.sizes[0]; ++row) {
    if (labels) {
      read_row(*labels, row, paths.labels, bytes);
      sender.send(kH5Label, bytes);
    }
    if (context) {
      read_row(*context, row, paths.context, bytes);
      sender.send(kH5Context, bytes);
    }
    read_row(clip, row, paths.clip, bytes);
    sender.send(kH5Clip, bytes);
  }
}

}  // namespace eflow::io
