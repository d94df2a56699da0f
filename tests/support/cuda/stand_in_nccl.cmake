# The stand-in for NCCL (support/cuda/stand_in_nccl/): build/.../tests/stand_in/libnccl.so.
add_library(eflow_stand_in_nccl SHARED support/cuda/stand_in_nccl/libnccl.cpp)
target_link_libraries(eflow_stand_in_nccl PRIVATE eflow_everything eflow_options)
set_target_properties(eflow_stand_in_nccl PROPERTIES
  OUTPUT_NAME nccl
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/stand_in)
add_library(eflow_with_stand_in_nccl INTERFACE)
target_compile_definitions(eflow_with_stand_in_nccl INTERFACE
  EFLOW_STAND_IN_NCCL="$<TARGET_FILE:eflow_stand_in_nccl>"
  EFLOW_DO_NOTHING_CUDA="$<TARGET_FILE:eflow_do_nothing_cuda>"
  EFLOW_FAKE_NVRTC="$<TARGET_FILE:eflow_fake_nvrtc>")
target_link_libraries(eflow_with_stand_in_nccl INTERFACE eflow_emulated_gpu)
# The tests open them by name.
foreach(test core.cuda.nccl_link trainer.ranks.device_messages trainer.ranks.nccl_step)
  add_dependencies(test.${test} eflow_stand_in_nccl eflow_do_nothing_cuda eflow_fake_nvrtc)
endforeach()
