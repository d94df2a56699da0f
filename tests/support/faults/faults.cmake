# The library that stands between a program and its files, and samples of what scripts/reliability does with it at length. Sanitizers
# and LD_PRELOAD exclude each other.
add_library(eflow_fault_shim SHARED ${CMAKE_CURRENT_LIST_DIR}/fault_shim.cpp)
target_compile_options(eflow_fault_shim PRIVATE -Wall -Wextra -Wshadow)
target_compile_features(eflow_fault_shim PRIVATE cxx_std_20)
target_link_libraries(eflow_fault_shim PRIVATE ${CMAKE_DL_LIBS})
if(NOT EFLOW_SANITIZE)
  add_test(NAME reliability/faults COMMAND ${PROJECT_SOURCE_DIR}/scripts/reliability/faults.py $<TARGET_FILE:eflow>
    $<TARGET_FILE:eflow_fault_shim> --scenario pack train resume --most 60)
  add_test(NAME reliability/power_loss COMMAND ${PROJECT_SOURCE_DIR}/scripts/reliability/power_loss.py $<TARGET_FILE:eflow>
    $<TARGET_FILE:eflow_fault_shim> --scenario pack resume --most 20)
  set_tests_properties(reliability/faults reliability/power_loss PROPERTIES LABELS cpu TIMEOUT 1200)
endif()
