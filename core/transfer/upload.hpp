#pragma once
// Upload: values that are copied to a device while it works, such as the next step's clips.

#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// A tensor that is being filled. On a GPU the copy runs beside the device's other work, and neither
/// the host nor earlier work waits for it; on the CPU the values are copied at once.
class Upload {
 public:
  Upload() = default;
  /// Begins the copy; the caller may reuse `values` on return. Throws ShapeError if their number is
  /// not that of the shape's elements, and DeviceError.
  Upload(const std::vector<float>& values, const Shape& shape,
         const DevicePtr& device = default_device());

  /// Makes work that is issued from now on wait for the copy, and returns the tensor. Throws
  /// DeviceError.
  [[nodiscard]] Tensor wait() const;

 private:
  Tensor tensor_;
};

}  // namespace eflow

EFLOW_EXPORT_END
