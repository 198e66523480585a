# Untried: Conan has never run this. Written for Conan 2.
import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, get, rmdir
from conan.tools.gnu import PkgConfigDeps
from conan.tools.layout import basic_layout
from conan.tools.meson import Meson, MesonToolchain


class Proa(ConanFile):
    name = "proa"
    description = "Callback-based proactor: io_uring, epoll and kqueue behind one interface"
    license = "Apache-2.0"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]

    def layout(self):
        basic_layout(self, src_folder="src")

    def validate(self):
        if self.settings.os not in ("Linux", "FreeBSD", "Macos"):
            raise ConanInvalidConfiguration("proa is for Linux, FreeBSD and macOS")
        check_min_cppstd(self, 17)

    def requirements(self):
        self.requires("boost/[>=1.74 <2]", options={"header_only": True})  # Boost.Intrusive; not in proa's headers
        if self.settings.os == "Linux":
            self.requires("liburing/2.5")

    def build_requirements(self):
        self.tool_requires("meson/[>=1.0]")
        self.tool_requires("pkgconf/[>=2]")

    def source(self):
        # With the release's tarball come its address here and sha256="...".
        get(self, f"https://example.org/proa/proa-{self.version}.tar.gz", strip_root=True)

    def generate(self):
        PkgConfigDeps(self).generate()
        toolchain = MesonToolchain(self)
        # Never auto: a package has the same backends on every machine.
        toolchain.project_options["uring"] = "enabled" if self.settings.os == "Linux" else "disabled"
        toolchain.project_options["aio"] = "disabled"  # libaio has no pkg-config file by which meson would find it here
        for part in ("tests", "bench", "tools"):
            toolchain.project_options[part] = False
        toolchain.properties["boost_root"] = self.dependencies["boost"].package_folder
        toolchain.generate()

    def build(self):
        meson = Meson(self)
        meson.configure()
        meson.build()

    def package(self):
        Meson(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        # Conan writes files for pkg-config and CMake itself, out of package_info().
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))

    def package_info(self):
        self.cpp_info.libs = ["proa"]
        self.cpp_info.set_property("pkg_config_name", "proa")
        self.cpp_info.set_property("cmake_file_name", "proa")
        self.cpp_info.set_property("cmake_target_name", "proa::proa")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
