# A GPU that interprets NVRTC's output (ptx_gpu.hpp): a library that passes for NVRTC but stops at PTX, and the driver that
# executes it.
add_library(eflow_nvrtc_to_ptx SHARED support/ptx/nvrtc_to_ptx.cpp)
target_link_libraries(eflow_nvrtc_to_ptx PRIVATE eflow_options ${CMAKE_DL_LIBS})

# Optimised in every configuration: an interpreter is slow.
add_library(eflow_ptx STATIC
  support/ptx/arithmetic.cpp
  support/ptx/conversion.cpp
  support/ptx/decode.cpp
  support/ptx/hopper.cpp
  support/ptx/interpreter.cpp
  support/ptx/logic.cpp
  support/ptx/memory.cpp
  support/ptx/profile.cpp
  support/ptx/profile_costs.cpp
  support/ptx/program.cpp
  support/ptx/ptx_gpu.cpp
  support/ptx/shared_memory.cpp
  support/ptx/warp_wide.cpp)
target_compile_definitions(eflow_ptx PRIVATE EFLOW_NVRTC_TO_PTX="$<TARGET_FILE:eflow_nvrtc_to_ptx>")
target_compile_options(eflow_ptx PRIVATE -O2)
target_link_libraries(eflow_ptx PUBLIC eflow::core eflow_everything PRIVATE eflow_options)
add_dependencies(eflow_ptx eflow_nvrtc_to_ptx)
