// Whether the machine can give devices to VMs: one finding a line, each with its remedy.
#pragma once

#include <string>
#include <vector>

#include "paths.h"

namespace vfio_setup {

enum class Grade { ok, warning, failure };

struct Finding {
  std::string subject;  // "IOMMU"
  Grade grade;
  std::string text;    // what was found
  std::string remedy;  // what to do; empty when ok
};

// Checks of files, below `paths`.
Finding check_iommu(const Paths& paths);
Finding check_interrupt_remapping(const Paths& paths);
Finding check_vfio_modules(const Paths& paths, const std::string& kernel_release);
std::vector<Finding> check_vfio_rights(const Paths& paths);
// Whether each card that was bound for good is, and where. Serial numbers take root to read.
std::vector<Finding> check_persistent(const Paths& paths);

// Checks of this process and the kernel it runs on.
Finding check_memlock();
Finding check_kvm(const Paths& paths);
Finding check_landlock();

std::vector<Finding> run_checks(const Paths& paths);

const char* name_of(Grade grade);

}  // namespace vfio_setup
