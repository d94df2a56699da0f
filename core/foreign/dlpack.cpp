#include "eflow/core/foreign/dlpack.hpp"

#include <charconv>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/tensor_node.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::dlpack {
namespace {

static_assert(sizeof(View) == 48 && sizeof(Unversioned) == 64 && sizeof(Versioned) == 80);

/// The type's code and bits; the table that both directions use.
struct Type {
  DType dtype;
  TypeCode code;
  std::uint8_t bits;
};
constexpr Type kTypes[] = {{DType::kF32, kFloat, 32},   {DType::kF64, kFloat, 64},
                           {DType::kBF16, kBfloat, 16}, {DType::kI32, kInt, 32},
                           {DType::kI64, kInt, 64},     {DType::kU8, kUInt, 8}};

/// "cuda:1" is device 1 of kCuda.
struct Place {
  std::int32_t type = kCpu, id = 0;
};
Place place_of(const Device& device) {
  const std::string name = device.name();
  if (!name.starts_with("cuda:")) return {};
  Place out{kCuda, 0};
  std::from_chars(name.data() + 5, name.data() + name.size(), out.id);
  return out;
}

/// What a shared tensor keeps alive.
struct Context {
  Tensor tensor;
  std::vector<std::int64_t> shape, strides;
};

template <class Managed>
void release(Managed* self) {
  delete static_cast<Context*>(self->context);
  delete self;
}

std::string describe(const View& v) {
  return str("type code ", static_cast<int>(v.code), ", ", static_cast<int>(v.bits), " bits, ",
             v.lanes, " lanes");
}

DType dtype_of(const View& v) {
  for (const Type& t : kTypes) {
    if (v.code == t.code && v.bits == t.bits && v.lanes == 1) return t.dtype;
  }
  throw InvalidArgument(str("[dlpack] a tensor of ", describe(v),
                            "; expected f32, f64, bf16, i32, i64 or u8 (convert it first)"));
}

/// The bytes that the tensor spans from its first element.
std::size_t span_of(const Shape& shape, const Strides& strides, DType dtype) {
  std::int64_t last = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 0) return 0;
    last += (shape[i] - 1) * strides[i];
  }
  return static_cast<std::size_t>(last + 1) * size_of(dtype);
}

void check_place(const View& v, const Device& device) {
  const Place here = place_of(device);
  if (v.device_type == here.type && (here.type == kCpu || v.device_id == here.id)) return;
  throw InvalidArgument(str("[dlpack] a tensor on device type ", v.device_type, ", number ",
                            v.device_id, ", for ", device.name(),
                            "; expected type 1 for the CPU or 2 for CUDA: move it first"));
}

template <class Managed>
Tensor adopt_view(Managed* managed, const DevicePtr& device) {
  const View& v = managed->view;
  check_place(v, *device);
  const DType dtype = dtype_of(v);
  if (v.ndim < 0 || v.ndim > Dims::kMaxRank)
    throw InvalidArgument(str("[dlpack] a tensor of ", v.ndim, " dimensions; at most ",
                              Dims::kMaxRank, " are supported"));
  std::vector<std::int64_t> sizes(v.shape, v.shape + v.ndim);
  const Shape shape{std::span<const std::int64_t>(sizes)};
  Strides strides = contiguous_strides(shape);
  if (v.strides != nullptr) {
    const std::vector<std::int64_t> given(v.strides, v.strides + v.ndim);
    strides = Strides{std::span<const std::int64_t>(given)};
  }
  for (int i = 0; i < v.ndim; ++i) {
    if (strides[i] < 0 && shape[i] > 1)
      throw InvalidArgument("[dlpack] a tensor with a negative stride; copy it first");
  }
  char* const data = static_cast<char*>(v.data) + v.byte_offset;
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) != 0)
    throw InvalidArgument(str("[dlpack] memory at ", static_cast<void*>(data),
                              " is not aligned to elements of ", size_of(dtype), " bytes"));
  const std::size_t bytes = span_of(shape, strides, dtype);
  device->runtime().allow_memory(data, bytes);
  auto storage = std::make_shared<detail::Storage>(
      device, data, bytes, [managed, data, bytes, runtime = &device->runtime()] {
        runtime->forget_memory(data, bytes);
        if (managed->deleter != nullptr) managed->deleter(managed);
      });
  return Tensor(detail::make_node(shape, strides, dtype, 0, std::move(storage)));
}

}  // namespace

template <class Managed>
Managed* share(const Tensor& tensor, Stream) {
  // On a GPU, work on the device's own stream; the CPU has finished.
  tensor.device()->synchronize({});
  auto context = std::make_unique<Context>();
  context->tensor = tensor.detach();
  auto out = std::make_unique<Managed>();
  View& v = out->view;
  for (int i = 0; i < tensor.rank(); ++i) {
    context->shape.push_back(tensor.shape()[i]);
    context->strides.push_back(tensor.strides()[i]);
  }
  const Place place = place_of(*tensor.device());
  v.data = tensor.data();
  v.device_type = place.type;
  v.device_id = place.id;
  v.ndim = tensor.rank();
  for (const Type& t : kTypes) {
    if (t.dtype != tensor.dtype()) continue;
    v.code = t.code;
    v.bits = t.bits;
  }
  v.shape = context->shape.data();
  v.strides = context->strides.data();
  out->context = context.release();
  out->deleter = &release<Managed>;
  return out.release();
}
template Unversioned* share(const Tensor&, Stream);
template Versioned* share(const Tensor&, Stream);

Tensor adopt(Versioned* managed, const DevicePtr& device) {
  if (managed->major != 1)
    throw InvalidArgument(
        str("[dlpack] a tensor of DLPack ", managed->major, ".", managed->minor, "; expected 1.x"));
  if ((managed->flags & kReadOnly) != 0)
    throw InvalidArgument("[dlpack] read-only memory, which an op could write; copy it first");
  return adopt_view(managed, device);
}
Tensor adopt(Unversioned* managed, const DevicePtr& device) {
  return adopt_view(managed, device);
}

}  // namespace eflow::dlpack
