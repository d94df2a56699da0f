#pragma once
// Sets the default device for the lifetime of the object.

#include "eflow/core/tensor/device.hpp"

namespace eflow::test {

class DefaultDevice {
 public:
  explicit DefaultDevice(DevicePtr device) : before_(default_device()) {
    set_default_device(std::move(device));
  }
  ~DefaultDevice() { set_default_device(before_); }
  DefaultDevice(const DefaultDevice&) = delete;
  DefaultDevice& operator=(const DefaultDevice&) = delete;

 private:
  DevicePtr before_;
};

}  // namespace eflow::test
