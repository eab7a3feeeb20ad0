# A plane is a library that may include only what stands to its right in
#   main -> control -> datapath -> bridge -> policy -> vhost
# Its headers are visible as <plane>/<header> through one directory of links a plane, and that
# directory reaches only targets that link the plane: including to the left does not compile.
# Every header is also compiled on its own (all_verify_interface_header_sets, part of ALL).

# switch_plane(NAME  DIRECTORY dir  [SOURCES ...] [HEADERS ...] [DEPENDS ...] [PRIVATE_DEPENDS ...])
function(switch_plane name)
  cmake_parse_arguments(PLANE "" "DIRECTORY" "SOURCES;HEADERS;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  set(view ${CMAKE_BINARY_DIR}/planes/${name})
  file(MAKE_DIRECTORY ${view})
  if(NOT EXISTS ${view}/${name})
    file(CREATE_LINK ${PLANE_DIRECTORY} ${view}/${name} SYMBOLIC)
  endif()
  # A plane of headers alone is still a library: its sources may come from sub-directories.
  file(TOUCH ${CMAKE_BINARY_DIR}/planes/empty.cc)
  list(TRANSFORM PLANE_HEADERS PREPEND ${view}/${name}/)
  add_library(${name} STATIC ${CMAKE_BINARY_DIR}/planes/empty.cc ${PLANE_SOURCES})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${view} FILES ${PLANE_HEADERS})
  target_link_libraries(${name} PUBLIC ${PLANE_DEPENDS} PRIVATE project_warnings
                                       ${PLANE_PRIVATE_DEPENDS})
endfunction()
