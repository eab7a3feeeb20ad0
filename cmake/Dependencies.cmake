# Everything comes from Debian 12's packages (scripts/install-deps). Their headers are SYSTEM:
# our warnings are for our code.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(DPDK REQUIRED libdpdk>=22.11)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(CAPNG REQUIRED IMPORTED_TARGET libcap-ng)

# Only the libraries that are used: libdpdk.pc names a hundred, and each is loaded at start. Its
# -march=corei7 is left out on purpose: it would override the CPU level of the data path.
add_library(dpdk_headers INTERFACE)
target_include_directories(dpdk_headers SYSTEM INTERFACE ${DPDK_INCLUDE_DIRS})
target_compile_options(dpdk_headers INTERFACE -include rte_config.h)
add_library(dpdk INTERFACE)
target_link_libraries(dpdk INTERFACE dpdk_headers rte_vhost rte_rcu rte_eal)
target_link_directories(dpdk INTERFACE ${DPDK_LIBRARY_DIRS})
