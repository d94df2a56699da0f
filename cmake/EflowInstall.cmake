# What find_package(eflow) finds after an install.
include(CMakePackageConfigHelpers)

install(EXPORT eflow NAMESPACE eflow:: FILE eflowTargets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/eflow)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/eflowConfig.cmake.in
  ${PROJECT_BINARY_DIR}/eflowConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/eflow)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/eflowConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/eflowConfig.cmake
  ${PROJECT_BINARY_DIR}/eflowConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/EflowPackages.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/eflow)
# Kernel texts: the argument structs are part of the interface of people who write their own ops.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/kernels_src/
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/eflow/kernels_src
  FILES_MATCHING PATTERN "*.h")
