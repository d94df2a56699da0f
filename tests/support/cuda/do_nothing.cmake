# The CUDA driver and the cuBLASLt that execute nothing (support/cuda/do_nothing/), as shared libraries in the build
# folder's tests. EFLOW_CUDA_DRIVER and EFLOW_CUBLASLT name them.
foreach(library cuda cublasLt)
  add_library(eflow_do_nothing_${library} SHARED support/cuda/do_nothing/lib${library}.cpp)
  target_link_libraries(eflow_do_nothing_${library} PRIVATE eflow_everything eflow_options)
  set_target_properties(eflow_do_nothing_${library} PROPERTIES
    OUTPUT_NAME ${library}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/do_nothing)
endforeach()
