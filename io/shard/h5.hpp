#pragma once
// A thin layer over the HDF5 C library: one lock, one check function and RAII handles. Internal to
// io. HDF5 lays out the files we write and is never used to read them (see dataset.hpp,
// checkpoint.hpp).

#include <hdf5.h>

#include <mutex>
#include <string>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/shape.hpp"

namespace eflow::io::h5 {

/// Exclusive access to HDF5: holds the library lock, turns off HDF5's error printing and its loading
/// of plugins, and registers the zstd filter. Every function below requires a live Session on the calling thread.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  std::unique_lock<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
};

/// Returns the result of an HDF5 call, or throws IoError with the innermost message of HDF5's error
/// stack if it is negative.
hid_t check(hid_t result, const char* call, const std::string& file);

/// Owns an HDF5 identifier and closes it on destruction.
class Id {
 public:
  using Close = herr_t (*)(hid_t);
  Id(hid_t id, Close closer, const char* call, std::string file);
  Id(Id&& other) noexcept;
  Id& operator=(Id&&) = delete;
  ~Id();  ///< logs a failure to close; call close() to have it thrown
  [[nodiscard]] hid_t get() const { return id_; }
  /// Closes the identifier and throws IoError on failure, since HDF5 may report a write error only
  /// here.
  void close();

 private:
  hid_t id_;
  Close close_;
  std::string file_;
};

/// The HDF5 file type for a dtype. bf16 is a custom float (sign bit 15, exponent bits 7 to 14,
/// mantissa bits 0 to 6, bias 127), which h5py reads as float32 and HDF5 2.x names
/// H5T_FLOAT_BFLOAT16LE.
[[nodiscard]] Id file_type(DType dtype, const std::string& file);
/// Creates a simple data space, or a scalar one for rank 0.
[[nodiscard]] Id space(const Shape& shape, const std::string& file);
/// Creates a property list of class `kind`.
[[nodiscard]] Id make_properties(hid_t kind, const std::string& file);

/// Attaches a fixed-length ASCII string attribute.
void write_attribute(const Id& object, const char* name, const std::string& text,
                     const std::string& file);
/// Attaches a 64-bit float attribute.
void write_attribute(const Id& object, const char* name, double value, const std::string& file);

}  // namespace eflow::io::h5
