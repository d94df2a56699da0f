#include "eflow/io/shard/h5.hpp"

#include <utility>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/io/shard/h5_zstd_filter.hpp"

namespace eflow::io::h5 {
namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// Callback of H5Ewalk2, which walks from the API call inwards: keeps the last entry, the root
/// cause.
herr_t keep_innermost(unsigned, const H5E_error2_t* entry, void* out) {
  if (entry->desc && *entry->desc) {
    *static_cast<std::string*>(out) = str(entry->desc, " (", entry->func_name, ")");
  }
  return 0;
}

std::string describe_error() {
  std::string text;
  if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_innermost, &text) < 0 || text.empty()) {
    return "no reason given";
  }
  return text;
}

}  // namespace

Session::Session() : lock_(library_mutex()) {
  if (H5open() < 0) throw IoError("[HDF5] the library failed to initialise");
  check(H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_), "H5Eget_auto2", "");
  check(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "H5Eset_auto2", "");
  // HDF5 loads libraries from HDF5_PLUGIN_PATH when it meets a filter that it does not know. All
  // filters of our files are built in, and code is loaded only from where eflow chooses.
  check(H5PLget_loading_state(&plugins_), "H5PLget_loading_state", "");
  check(H5PLset_loading_state(0), "H5PLset_loading_state", "");
  const htri_t known = H5Zfilter_avail(kH5ZstdFilter);
  if (known <= 0) check(H5Zregister(h5_zstd_filter_class()), "H5Zregister", "");
}

Session::~Session() {
  if (H5PLset_loading_state(plugins_) < 0) {
    log_warning("[HDF5] could not restore the loading of plugins");
  }
  if (H5Eset_auto2(H5E_DEFAULT, print_, print_data_) < 0) {
    log_warning("[HDF5] could not restore error printing");
  }
}

hid_t check(hid_t result, const char* call, const std::string& file) {
  if (result < 0) throw IoError(str("[HDF5] ", call, " ", file, ": ", describe_error()));
  return result;
}

Id::Id(hid_t id, Close closer, const char* call, std::string file)
    : id_(check(id, call, file)), close_(closer), file_(std::move(file)) {}

Id::Id(Id&& other) noexcept
    : id_(std::exchange(other.id_, -1)), close_(other.close_), file_(std::move(other.file_)) {}

Id::~Id() {
  if (id_ >= 0 && close_(id_) < 0) {
    log_warning("[HDF5] closing an object of ", file_, ": ", describe_error());
  }
}

void Id::close() {
  if (id_ >= 0) check(close_(std::exchange(id_, -1)), "close", file_);
}

Id file_type(DType dtype, const std::string& file) {
  const auto copy_of = [&](hid_t type) { return Id(H5Tcopy(type), H5Tclose, "H5Tcopy", file); };
  switch (dtype) {
    case DType::kF32:
      return copy_of(H5T_IEEE_F32LE);
    case DType::kF64:
      return copy_of(H5T_IEEE_F64LE);
    case DType::kI32:
      return copy_of(H5T_STD_I32LE);
    case DType::kI64:
      return copy_of(H5T_STD_I64LE);
    case DType::kU8:
      return copy_of(H5T_STD_U8LE);
    case DType::kBF16:
      break;
  }
  Id type = copy_of(H5T_IEEE_F32LE);
  // HDF5 accepts the smaller size only after all fields fit into 16 bits.
  check(H5Tset_fields(type.get(), 15, 7, 8, 0, 7), "H5Tset_fields", file);
  check(H5Tset_precision(type.get(), 16), "H5Tset_precision", file);
  check(H5Tset_size(type.get(), 2), "H5Tset_size", file);
  check(H5Tset_ebias(type.get(), 127), "H5Tset_ebias", file);
  return type;
}

Id space(const Shape& shape, const std::string& file) {
  if (shape.rank() == 0) return Id(H5Screate(H5S_SCALAR), H5Sclose, "H5Screate", file);
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  return Id(H5Screate_simple(shape.rank(), dims.data(), nullptr), H5Sclose, "H5Screate_simple",
            file);
}

Id make_properties(hid_t kind, const std::string& file) {
  return Id(H5Pcreate(kind), H5Pclose, "H5Pcreate", file);
}

namespace {

void write_attribute(const Id& object, const char* name, const Id& type, const void* value,
                     const std::string& file) {
  const Id scalar = space({}, file);
  Id attribute(H5Acreate2(object.get(), name, type.get(), scalar.get(), H5P_DEFAULT, H5P_DEFAULT),
               H5Aclose, "H5Acreate2", file);
  check(H5Awrite(attribute.get(), type.get(), value), "H5Awrite", file);
  attribute.close();
}

}  // namespace

void write_attribute(const Id& object, const char* name, const std::string& text,
                     const std::string& file) {
  Id type(H5Tcopy(H5T_C_S1), H5Tclose, "H5Tcopy", file);
  check(H5Tset_size(type.get(), text.size() + 1), "H5Tset_size", file);
  write_attribute(object, name, type, text.c_str(), file);
}

void write_attribute(const Id& object, const char* name, double value, const std::string& file) {
  write_attribute(object, name, file_type(DType::kF64, file), &value, file);
}

}  // namespace eflow::io::h5
