#pragma once
// Loading a cubin: from the verified bytes of an artifact to a function that can be launched, with its shared memory opted
// in and loaded eagerly, so that a launch never waits for the driver's loader.

#include <memory>
#include <string_view>

#include "eflow/jit/cuda_context.hpp"
#include "eflow/jit/kernel_definitions.hpp"

namespace eflow::jit {

/// A loaded kernel. Plain data: what a launch needs and nothing else.
struct CudaKernel {
  CuFunction function = nullptr;
  unsigned threads = 0;        ///< of a block
  unsigned shared_bytes = 0;   ///< dynamic shared memory of a block
  std::size_t args_bytes = 0;  ///< 0: the driver does not say (before 12.4)
};

/// The cubin of one kernel. Unloads it on destruction: nothing of it may be running then.
class CudaModule {
 public:
  /// `title` is for messages: "axpy<f32>(3) for sm_90a". Throws DeviceError when the driver refuses any step, with what it
  /// said of the image; InvalidArgument when the kernel asks for more threads or shared memory than it can have.
  CudaModule(std::shared_ptr<const CudaContext> context, std::string_view image,
             const KernelSource& source, std::string_view title);
  ~CudaModule();
  CudaModule(const CudaModule&) = delete;
  CudaModule& operator=(const CudaModule&) = delete;

  [[nodiscard]] const CudaKernel& kernel() const { return kernel_; }

 private:
  void load(std::string_view image, std::string_view title);
  void find_function(std::string_view title);
  void opt_in(const KernelSource& source, std::string_view title);

  std::shared_ptr<const CudaContext> context_;
  CuLibrary library_ = nullptr;
  CudaKernel kernel_;
};

}  // namespace eflow::jit
