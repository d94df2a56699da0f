#pragma once
// DevicePtr: a device by pointer, for headers that only pass one on. device.hpp defines what it points to.

#include <memory>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

class Device;
using DevicePtr = std::shared_ptr<Device>;

/// See device.hpp.
[[nodiscard]] const DevicePtr& default_device();

}  // namespace eflow

EFLOW_EXPORT_END
