# Builds the Debian package of the build folder BUILD and looks whether all that it must hold is there.
function(run out)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${BUILD} RESULT_VARIABLE status
    OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${text}")
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

run(ignored ${CMAKE_COMMAND} --build . --target holdfast_generated)
file(GLOB old ${BUILD}/package/*.deb)
if(old)
  file(REMOVE ${old})
endif()
run(ignored cpack -G DEB -B package)
file(GLOB package ${BUILD}/package/*.deb)
run(files dpkg-deb --contents ${package})
run(depends dpkg-deb --field ${package} Depends)

foreach(path bin/holdfast share/man/man1/holdfast.1 share/bash-completion/completions/holdfast
    share/zsh/vendor-completions/_holdfast share/fish/vendor_completions.d/holdfast.fish
    share/doc/holdfast/README.md share/doc/holdfast/format/README.md)
  if(NOT files MATCHES "\\./usr/${path}\n")
    message(SEND_ERROR "the package lacks /usr/${path}")
  endif()
endforeach()
foreach(library libc6 libssl3 libsodium23 libzstd1)
  if(NOT depends MATCHES "${library}")
    message(SEND_ERROR "the package does not depend on ${library}; it says: ${depends}")
  endif()
endforeach()
message("${package}\n${files}\nDepends: ${depends}")
