#pragma once

#include <filesystem>

namespace holdfast::agent {

// SQLite's files as a disk with a volatile cache has them: this VFS passes everything on to the system's own, and
// remembers of each file what it was when it was last synced. Registered once, as the default; any thread.
class PowerCutVfs {
 public:
  // From here on every database that is opened is watched.
  static void Install();
  // What the files of `folder` would be after a power cut at this moment, in `after`: each as it was last synced; one
  // that never was is empty.
  static void Cut(const std::filesystem::path& folder, const std::filesystem::path& after);
  // Syncs so far.
  static int syncs();
};

}  // namespace holdfast::agent
