# What `cmake --install` puts where: headers, both libraries, the CMake package and the pkg-config file.
include(CMakePackageConfigHelpers)

list(JOIN AIORCH_REQUIRES " " AIORCH_REQUIRES_SPACED)
list(JOIN AIORCH_PC_REQUIRES " " AIORCH_PC_REQUIRES_SPACED)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/aiorch")

install(DIRECTORY include/aiorch DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
foreach(kind shared static)
  set(target aiorch)
  if(kind STREQUAL "static")
    set(target aiorch_static)
  endif()
  install(TARGETS ${target} EXPORT aiorch-${kind}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT aiorch-${kind} FILE aiorch-${kind}.cmake NAMESPACE aiorch:: DESTINATION "${package_dir}")
endforeach()

configure_package_config_file(cmake/aiorch-config.cmake.in "${PROJECT_BINARY_DIR}/aiorch-config.cmake"
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
# Until 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/aiorch-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/aiorch-config.cmake" "${PROJECT_BINARY_DIR}/aiorch-config-version.cmake"
  DESTINATION "${package_dir}")

# The prefix follows the file, so that an installed tree may be moved; an absolute folder stays as it was given.
set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  string(REGEX REPLACE "[^/]+" ".." up "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix "\${pcfiledir}/../${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(pkgconfig/aiorch.pc.in "${PROJECT_BINARY_DIR}/aiorch.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/aiorch.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
