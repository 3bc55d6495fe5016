# holdfast_room(NAME [NEEDS room ...] [LIBRARIES target ...])
# Declares the room src/NAME: a static library of all its .cc files. NEEDS are the rooms whose headers it may
# include; LIBRARIES are third-party, private to the room. tests/tidy reads these declarations.
set(HOLDFAST_PCH ${CMAKE_SOURCE_DIR}/src/base/precompiled.h)
function(holdfast_room name)
  cmake_parse_arguments(ROOM "" "" "NEEDS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(hf_${name} STATIC ${sources})
  target_include_directories(hf_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  list(TRANSFORM ROOM_NEEDS PREPEND hf_)
  target_link_libraries(hf_${name} PUBLIC ${ROOM_NEEDS} PRIVATE holdfast_flags ${ROOM_LIBRARIES})
  target_precompile_headers(hf_${name} PRIVATE ${HOLDFAST_PCH})
endfunction()
