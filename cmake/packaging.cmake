# What `cmake --install` and the Debian package hold: the program, its man pages and shell completion (printed
# by the program itself, so they can't disagree with it), and the documents.
set(doc_dir ${CMAKE_INSTALL_DATAROOTDIR}/doc/holdfast)
install(FILES README.md DESTINATION ${doc_dir})
install(DIRECTORY docs/format DESTINATION ${doc_dir})

# holdfast_generated(PATH COMMAND argument ...): installs what the program prints for these arguments as PATH,
# or nothing where it fails (the test debian_package tells).
set(generated_dir ${CMAKE_BINARY_DIR}/generated)
set(generated)
function(holdfast_generated path)
  cmake_parse_arguments(G "" "" "COMMAND" ${ARGN})
  get_filename_component(folder ${path} DIRECTORY)
  file(MAKE_DIRECTORY ${generated_dir}/${folder})
  add_custom_command(OUTPUT ${generated_dir}/${path} DEPENDS holdfast VERBATIM
    COMMAND holdfast ${G_COMMAND} > ${path} || ${CMAKE_COMMAND} -E rm -f ${path}
    WORKING_DIRECTORY ${generated_dir})
  install(FILES ${generated_dir}/${path} DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/${folder} OPTIONAL)
  set(generated ${generated} ${generated_dir}/${path} PARENT_SCOPE)
endfunction()
holdfast_generated(bash-completion/completions/holdfast COMMAND completion bash)
holdfast_generated(zsh/vendor-completions/_holdfast COMMAND completion zsh)
holdfast_generated(fish/vendor_completions.d/holdfast.fish COMMAND completion fish)

# The program knows how many pages there are, so the folder is what is built and installed.
add_custom_command(OUTPUT ${generated_dir}/man.stamp DEPENDS holdfast VERBATIM
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${generated_dir}/man1
  COMMAND ${CMAKE_COMMAND} -E make_directory ${generated_dir}/man1
  COMMAND holdfast man ${generated_dir}/man1 || ${CMAKE_COMMAND} -E true
  COMMAND ${CMAKE_COMMAND} -E touch ${generated_dir}/man.stamp)
install(DIRECTORY ${generated_dir}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} FILES_MATCHING PATTERN "*.1")
add_custom_target(holdfast_generated ALL DEPENDS ${generated} ${generated_dir}/man.stamp)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME holdfast)
set(CPACK_PACKAGE_CONTACT "The holdfast authors <holdfast@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "encrypted, deduplicated, self-healing backups")
set(CPACK_PACKAGE_DESCRIPTION
  "Backs up files into repositories in which every snapshot is complete, data is\n\
stored once, everything is encrypted and authenticated, and damage is found and repaired.")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS fuse3)  # for `mount` by users
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
include(CPack)

if(HOLDFAST_TESTS AND NOT HOLDFAST_SANITIZE)
  add_test(NAME debian_package COMMAND ${CMAKE_COMMAND} -DBUILD=${CMAKE_BINARY_DIR}
    -P ${CMAKE_CURRENT_SOURCE_DIR}/tests/system/package.cmake)
  set_tests_properties(debian_package PROPERTIES LABELS package TIMEOUT 120)
endif()
