#pragma once
// The HDF5 C library behind one lock, one check function and handles that close themselves.
// Internal to io; HDF5 is used to write the structure of our files and nowhere to read them (see
// dataset.hpp, checkpoint.hpp).

#include <hdf5.h>

#include <mutex>
#include <string>

#include "eflow/base/dtype.hpp"
#include "eflow/base/shape.hpp"

namespace eflow::io::h5 {

/// While one exists this thread alone is inside HDF5, its error printing is off and our zstd filter
/// is registered. Every function below needs one to be alive.
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
};

/// The one check: passes a result of HDF5 through, or throws IoError with the innermost words of
/// HDF5's error stack.
hid_t check(hid_t result, const char* call, const std::string& file);

/// Owns an HDF5 identifier.
class Id {
 public:
  using Close = herr_t (*)(hid_t);
  Id(hid_t id, Close closer, const char* call, std::string file);
  Id(Id&& other) noexcept;
  Id& operator=(Id&&) = delete;
  ~Id();  ///< logs where closing fails; call close() where that matters
  [[nodiscard]] hid_t get() const { return id_; }
  /// Closes and throws where HDF5 reports an error: a full disk may show only here.
  void close();

 private:
  hid_t id_;
  Close close_;
  std::string file_;
};

/// The file's type of a dtype. bf16 is a custom float (sign 15, exponent 7..14, mantissa 0..6, bias
/// 127), which h5py shows as float32 and HDF5 2.x calls H5T_FLOAT_BFLOAT16LE.
[[nodiscard]] Id file_type(DType dtype, const std::string& file);
/// A simple data space, scalar for rank 0.
[[nodiscard]] Id space(const Shape& shape, const std::string& file);
[[nodiscard]] Id make_properties(hid_t kind, const std::string& file);

/// Attaches a fixed-length ASCII string.
void write_attribute(const Id& object, const char* name, const std::string& text,
                     const std::string& file);
/// Attaches a 64-bit float.
void write_attribute(const Id& object, const char* name, double value, const std::string& file);

}  // namespace eflow::io::h5
