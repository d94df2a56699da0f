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

# Every kernel, interpreted: scripts/check_ptx.sh. CTest runs a sample.
add_executable(check_ptx core/ptx/check_ptx.cpp core/ptx/kernel_calls.cpp)
target_link_libraries(check_ptx PRIVATE eflow_test_support eflow_ptx eflow::nn eflow_options)
add_test(NAME core/ptx/check_ptx COMMAND check_ptx --run_test=@sample --log_level=test_suite --color_output=no)
set_tests_properties(core/ptx/check_ptx PROPERTIES SKIP_RETURN_CODE 77 LABELS cpu TIMEOUT 1200)
