# Untried: vcpkg has never run this.
vcpkg_download_distfile(archive
    URLS "https://example.org/proa/proa-${VERSION}.tar.gz"
    FILENAME "proa-${VERSION}.tar.gz"
    SHA512 0  # of the release's tarball; vcpkg prints what belongs here
)
vcpkg_extract_source_archive(SOURCE_PATH ARCHIVE "${archive}")

# Meson's feature options are enabled or disabled, never auto: a package has the same backends on every machine.
set(linux_backends disabled)
if(VCPKG_TARGET_IS_LINUX)
    set(linux_backends enabled)
endif()
vcpkg_configure_meson(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -During=${linux_backends}
        -Daio=${linux_backends}
        -Dtests=false
        -Dbench=false
        -Dtools=false
    ADDITIONAL_PROPERTIES
        "boost_root = '${CURRENT_INSTALLED_DIR}'"
)
vcpkg_install_meson()
vcpkg_fixup_pkgconfig()
# The CMake package finds the libraries from its own place, lib/cmake/proa, and so it stays there.
set(VCPKG_POLICY_SKIP_LIB_CMAKE_MERGE_CHECK enabled)
set(VCPKG_POLICY_SKIP_MISPLACED_CMAKE_FILES_CHECK enabled)
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
