#pragma once
// CudaModule: loads a cubin from an artifact's verified bytes. Shared memory is opted in and the
// kernel is loaded eagerly, so that a launch never waits for the driver's loader.

#include <memory>
#include <string>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/arguments/argument_types.hpp"
#include "eflow/jit/cuda/context.hpp"
#include "eflow/jit/kernel/definitions.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// A loaded kernel: plain data with everything a launch needs.
struct CudaKernel {
  CuFunction function = nullptr;
  unsigned threads = 0;                     ///< per block
  unsigned shared_bytes = 0;                ///< dynamic shared memory per block
  std::size_t args_bytes = 0;               ///< 0 if the driver cannot tell (before 12.4)
  ArgumentTypes types = kUnknownArguments;  ///< of the text's argument struct
  std::string_view title = {};              ///< for messages; owned by the module
};

/// Owns the loaded cubin of one kernel. Unloads it on destruction, when no launch of it may be
/// running.
class CudaModule {
 public:
  /// `title` is for messages: "axpy<f32>(3) for sm_90a". Throws DeviceError with the driver's log
  /// if loading fails, and InvalidArgument if the kernel needs more threads or shared memory than
  /// the device offers.
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
  std::string title_;
  CuLibrary library_ = nullptr;
  CudaKernel kernel_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
