#pragma once
// DLPack 1.x: tensors to and from other libraries without a copy, on the CPU and on GPUs. The structs are
// those of the DLPack specification (https://dmlc.github.io/dlpack/latest/c_api.html), in a namespace so that
// a program may include DLPack's own header too; the memory is the same.
//
//   dlpack::Versioned* out = dlpack::share<dlpack::Versioned>(tensor);      to another library
//   Tensor in = dlpack::adopt(managed, device);                             from one

#include <cstdint>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::dlpack {

enum DeviceType : std::int32_t { kCpu = 1, kCuda = 2 };
enum TypeCode : std::uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4 };
enum Flags : std::uint64_t { kReadOnly = 1, kIsCopied = 2 };

/// DLTensor.
struct View {
  void* data = nullptr;
  std::int32_t device_type = kCpu, device_id = 0;
  std::int32_t ndim = 0;
  std::uint8_t code = kFloat, bits = 32;
  std::uint16_t lanes = 1;
  std::int64_t* shape = nullptr;
  std::int64_t* strides = nullptr;  ///< in elements; null: row-major
  std::uint64_t byte_offset = 0;
};
/// DLManagedTensor, of DLPack before 1.0: a capsule named "dltensor".
struct Unversioned {
  View view = {};
  void* context = nullptr;
  void (*deleter)(Unversioned* self) = nullptr;
};
/// DLManagedTensorVersioned: a capsule named "dltensor_versioned".
struct Versioned {
  std::uint32_t major = 1, minor = 0;
  void* context = nullptr;
  void (*deleter)(Versioned* self) = nullptr;
  std::uint64_t flags = 0;
  View view = {};
};

/// Shares the tensor's memory, which remains until the receiver calls the deleter. `stream` is the
/// receiver's on a GPU: work that the tensor waits for is done when this returns, so any stream of the
/// receiver may use it. Managed is Unversioned or Versioned.
template <class Managed>
[[nodiscard]] Managed* share(const Tensor& tensor, Stream stream = {});

/// A tensor over the other library's memory, which is given back (its deleter called) with the last
/// tensor or view. On a GPU, the producer must have been given `device->stream()`, or have waited for its
/// work. Throws InvalidArgument, and leaves `managed` to the caller, for a dtype
/// that eflow lacks, another device, more dimensions than Dims::kMaxRank, a major version other than 1,
/// memory that is not aligned to its elements, and read-only memory: ops on tensors may write in place.
[[nodiscard]] Tensor adopt(Versioned* managed, const DevicePtr& device = default_device());
[[nodiscard]] Tensor adopt(Unversioned* managed, const DevicePtr& device = default_device());

}  // namespace eflow::dlpack

EFLOW_EXPORT_END
